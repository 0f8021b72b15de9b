/* The pages as constant data, each with the Content-Security-Policy that lets its own script and style run and
 * nothing else; the build passes their paths. */
    .section .rodata
    .globl page_docs, page_docs_end, page_docs_policy
    .globl page_playground, page_playground_end, page_playground_policy
page_docs:
    .incbin DOCS_HTML
page_docs_end:
    .byte 0
page_docs_policy:
    .incbin DOCS_POLICY
    .byte 0
page_playground:
    .incbin PLAYGROUND_HTML
page_playground_end:
    .byte 0
page_playground_policy:
    .incbin PLAYGROUND_POLICY
    .byte 0

    .section .note.GNU-stack, "", %progbits
