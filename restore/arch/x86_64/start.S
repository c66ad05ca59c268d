// The stub's first and last instructions.
    .text
    .globl _start
    .type _start, @function
_start:
    xor %ebp, %ebp
    mov %rsp, %rdi
    and $-16, %rsp
    call mig_main
    ud2
    .size _start, . - _start

// [[noreturn]] void mig_call_on(void* stack_top, void (*function)(void*), void* argument)
    .globl mig_call_on
    .type mig_call_on, @function
mig_call_on:
    mov %rdi, %rsp
    mov %rdx, %rdi
    xor %ebp, %ebp
    call *%rsi
    ud2
    .size mig_call_on, . - mig_call_on

// [[noreturn]] void mig_jump(const CallContext*): into the library, which sees its mig_save_context return 1.
    .globl mig_jump
    .type mig_jump, @function
mig_jump:
    mov 0(%rdi), %rbx
    mov 8(%rdi), %rbp
    mov 16(%rdi), %r12
    mov 24(%rdi), %r13
    mov 32(%rdi), %r14
    mov 40(%rdi), %r15
    mov 48(%rdi), %rsp
    mov $1, %eax
    jmp *56(%rdi)
    .size mig_jump, . - mig_jump

// long mig_clone(unsigned long flags, void* stack_top, void (*function)(void*), void* argument)
    .globl mig_clone
    .type mig_clone, @function
mig_clone:
    push %rbx
    push %r12
    mov %rdx, %rbx
    mov %rcx, %r12
    xor %edx, %edx
    xor %r10d, %r10d
    xor %r8d, %r8d
    mov $56, %eax
    syscall
    test %rax, %rax
    jnz 1f
    xor %ebp, %ebp
    mov %r12, %rdi
    call *%rbx
    ud2
1:  pop %r12
    pop %rbx
    ret
    .size mig_clone, . - mig_clone

    .section .note.GNU-stack,"",@progbits
