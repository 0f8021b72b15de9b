/* The specification's two forms as constant data; the build passes their paths. */
    .section .rodata
    .globl openapi_json, openapi_json_end, openapi_yaml, openapi_yaml_end
openapi_json:
    .incbin OPENAPI_JSON
openapi_json_end:
    .byte 0
openapi_yaml:
    .incbin OPENAPI_YAML
openapi_yaml_end:
    .byte 0

    .section .note.GNU-stack, "", %progbits
