// Entering a system call again with other arguments (preload/stop/reentry.h).
//
// A thread arrives here from rt_sigreturn, with rax, the arguments and rbx (-> Reentry) set in its signal frame. After the
// call the program's own registers come back: all but rax, rcx and r11, which `syscall` may change anyway. Interrupted
// at any instruction it goes on as it should, since the Reentry is given back by the last store.
//
// The unwind information says: the caller is at the pc in the Reentry, on this very stack. A thread that is cancelled
// asynchronously, as libc does inside blocking calls, is unwound through here.
    .text

    .macro describe base
    .cfi_escape 0x10, 16, 2, \base, 56
    .cfi_escape 0x10, 3, 2, \base, 48
    .endm

    .macro give_back
    mov 0(%rbx), %rdi
    mov 8(%rbx), %rsi
    mov 16(%rbx), %rdx
    mov 24(%rbx), %r10
    mov 32(%rbx), %r8
    mov 40(%rbx), %r9
    mov 56(%rbx), %rcx
    mov %rbx, %r11
    describe 0x7b
    mov 48(%r11), %rbx
    .cfi_same_value rbx
    .cfi_register rip, rcx
    movq $0, 64(%r11)
    jmp *%rcx
    .endm

    .globl mig_reenter, mig_reentered
    .hidden mig_reenter, mig_reentered
    .type mig_reenter, @function
    .cfi_startproc simple
    .cfi_signal_frame
    .cfi_def_cfa rsp, 0
    describe 0x73
    nop
mig_reenter:
    syscall
mig_reentered:
    give_back
    .cfi_endproc
    .size mig_reenter, . - mig_reenter

// The rest of a transfer of which a part was done: an error now means that this part is the result.
    .globl mig_transfer, mig_transferred
    .hidden mig_transfer, mig_transferred
    .type mig_transfer, @function
    .cfi_startproc simple
    .cfi_signal_frame
    .cfi_def_cfa rsp, 0
    describe 0x73
    nop
mig_transfer:
    syscall
mig_transferred:
    test %rax, %rax
    jns 1f
    xor %eax, %eax
1:  add 72(%rbx), %rax
    give_back
    .cfi_endproc
    .size mig_transfer, . - mig_transfer

    .section .note.GNU-stack,"",@progbits
