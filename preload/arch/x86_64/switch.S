// Entry of the checkpoint signal, and the two halves of a context switch.
//
// mig_signal_entry runs on whatever stack the kernel chose: perhaps a 2 KiB alternate stack. It keeps 16 bytes
// of it, asks mig_claim_stack() for a stack of ours, and calls mig_on_signal() there. A claim of 0 means: nothing
// to do, return to the program. The word that mig_on_signal() returns is incremented when that stack is left, because
// it may be another thread's a moment later.
    .text
    .globl mig_signal_entry
    .hidden mig_signal_entry
    .type mig_signal_entry, @function
mig_signal_entry:
    push %rbx
    push %rbp
    push %r12
    mov %rdi, %rbx
    mov %rsi, %rbp
    mov %rdx, %r12
    call mig_claim_stack
    test %rax, %rax
    jz 1f
    mov %rbx, %rdi
    mov %rbp, %rsi
    mov %r12, %rdx
    mov %rsp, %rbx
    mov %rax, %rcx
    mov %rax, %rsp
    call mig_on_signal
    mov %rbx, %rsp
    lock incl (%rax)
1:  pop %r12
    pop %rbp
    pop %rbx
    ret
    .size mig_signal_entry, . - mig_signal_entry

    .globl mig_signal_return
    .hidden mig_signal_return
    .type mig_signal_return, @function
    .byte 0x90
mig_signal_return:
    mov $15, %eax
    syscall
    .size mig_signal_return, . - mig_signal_return

// int mig_save_context(CallContext*): 0 now; 1 when somebody jumps to it.
    .globl mig_save_context
    .hidden mig_save_context
    .type mig_save_context, @function
mig_save_context:
    mov %rbx, 0(%rdi)
    mov %rbp, 8(%rdi)
    mov %r12, 16(%rdi)
    mov %r13, 24(%rdi)
    mov %r14, 32(%rdi)
    mov %r15, 40(%rdi)
    lea 8(%rsp), %rax
    mov %rax, 48(%rdi)
    mov (%rsp), %rax
    mov %rax, 56(%rdi)
    xor %eax, %eax
    ret
    .size mig_save_context, . - mig_save_context

    .section .note.GNU-stack,"",@progbits
