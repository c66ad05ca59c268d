// syscall(3) and vfork(3): two functions that must not have a frame.
//
// syscall: numbers that need nothing go to the kernel as libc would send them; the others to mig_special_syscall(), with
// the arguments as they are. vfork (also as syscall(SYS_vfork), or clone with CLONE_VM): the child runs on its
// parent's stack and memory, so nothing may be left on the stack, and the caches of getpid and gettid are emptied before, so
// that the child asks the kernel. Parent and child may have to give the child another number first (mig_birth). No checkpoint
// may come between the kernel's number and that one (preload/unsplit.h).
    .text

    .macro empty_caches
    movq _ZN3mig10cached_pidE@gottpoff(%rip), %rax
    movl $0, %fs:(%rax)
    movq _ZN3mig10cached_tidE@gottpoff(%rip), %rax
    movl $0, %fs:(%rax)
    .endm

    .macro enter_kernel
    mov %rdi, %rax
    mov %rsi, %rdi
    mov %rdx, %rsi
    mov %rcx, %rdx
    mov %r8, %r10
    mov %r9, %r8
    mov 8(%rsp), %r9
    syscall
    cmp $-4095, %rax
    jae mig_failed_syscall
    .endm

    .globl syscall
    .type syscall, @function
syscall:
    cmp $512, %rdi
    jae 1f
    lea mig_special_numbers(%rip), %rax
    cmpb $0, (%rax,%rdi)
    jne 2f
1:  enter_kernel
    ret
2:  cmp $58, %rdi       // vfork
    je vfork
    cmp $435, %rdi      // clone3
    je 5f
    cmp $56, %rdi       // clone
    jne 4f
    test $0x100, %esi   // CLONE_VM
    jnz share_memory
4:  jmp mig_special_syscall
5:  testl $0x100, (%rsi)
    jnz share_memory
    jmp 4b
    .size syscall, . - syscall

    .section mig_unsplit,"ax",@progbits
    .type share_memory, @function
share_memory:
    empty_caches
    enter_kernel
    test %rax, %rax
    jnz 6f
    ret
6:  mov %rax, %rdi
    jmp mig_birth
    .size share_memory, . - share_memory
    .text

    .type mig_failed_syscall, @function
mig_failed_syscall:
    push %rbx
    mov %eax, %ebx
    neg %ebx
    call __errno_location@PLT
    mov %ebx, (%rax)
    pop %rbx
    mov $-1, %rax
    ret
    .size mig_failed_syscall, . - mig_failed_syscall

    .section mig_unsplit,"ax",@progbits
    .globl vfork
    .type vfork, @function
    .globl __vfork
    .set __vfork, vfork
vfork:
    pop %rdi
    empty_caches
    mov $58, %eax
    syscall
    push %rdi
    cmp $-4095, %rax
    jae mig_failed_syscall
    sub $8, %rsp
    mov %rax, %rdi
    call mig_birth
    add $8, %rsp
    ret
    .size vfork, . - vfork

    .section .note.GNU-stack,"",@progbits
