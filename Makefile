# gumbeld. `make run` and `make test` install what is missing (Debian 12 and 13), build, and run.
#
#   make              build/gumbeld
#   make run          the server, on ARGS or 127.0.0.1:8080
#   make test         unit, contract and integration tests
#   make help         everything else
#
# V=1 shows the commands; WERROR=1 makes warnings errors.

VERSION := 0.1.0
VARIANT ?= release
CC      ?= gcc
ARCH    := $(shell uname -m)

.DEFAULT_GOAL := build/gumbeld
MAKEFLAGS += --no-builtin-rules
.DELETE_ON_ERROR:

Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-7s %s\n' '$(1)' '$(2)')

# ---- What is built from what -------------------------------------------------------------------------------

OUT := build/$(VARIANT)

ISAS_x86_64  := sse2 avx2 avx512
ISAS_aarch64 := neon
ISAS := $(ISAS_$(ARCH))

KERNEL_SOURCES := $(wildcard core/kernels*.c)
CORE_SOURCES   := $(filter-out $(KERNEL_SOURCES),$(wildcard core/*.c))
API_SOURCES    := $(wildcard api/*.c api/*.S)
SERVER_SOURCES := $(wildcard server/*.c)
TEST_SOURCES   := $(wildcard tests/*.c tests/core/*.c tests/api/*.c tests/server/*.c)

object = $(patsubst %,$(OUT)/%.o,$(basename $(1)))
CORE_OBJECTS   := $(call object,$(CORE_SOURCES)) \
                  $(foreach isa,$(ISAS),$(patsubst %.c,$(OUT)/%-$(isa).o,$(KERNEL_SOURCES)))
API_OBJECTS    := $(call object,$(API_SOURCES))
SERVER_OBJECTS := $(call object,$(SERVER_SOURCES))
SERVER_PARTS   := $(filter-out $(OUT)/server/main.o,$(SERVER_OBJECTS))
TEST_OBJECTS   := $(call object,$(TEST_SOURCES))

# The release binary has the short name; every other variant stays in its folder.
BINARY := $(if $(filter release,$(VARIANT)),build,$(OUT))/gumbeld

# ---- Flags -------------------------------------------------------------------------------------------------

WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wno-psabi $(if $(WERROR),-Werror)
COMMON := -std=gnu11 -g -pthread -fno-omit-frame-pointer -MMD -MP $(WARNINGS)

COMMON_release := -O2 -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fPIE
LINK_release   := -pie -Wl,-z,relro,-z,now
COMMON_asan    := -O1 -fsanitize=address,undefined -fno-sanitize-recover=all
LINK_asan      := -fsanitize=address,undefined
COMMON_tsan    := -O1 -fsanitize=thread
LINK_tsan      := -fsanitize=thread

# Bit-identical results: no contraction of a*b+c but where the source writes it out.
CORE_FLAGS := -ffp-contract=off
KERNEL_FLAGS := $(CORE_FLAGS) -O3 -fno-math-errno -fno-trapping-math -fschedule-insns
KERNEL_sse2   :=
KERNEL_avx2   := -mavx2 -mfma
KERNEL_avx512 := -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx2 -mfma -mprefer-vector-width=512
KERNEL_neon   :=

# A layer sees its own headers and those below: server -> api -> core. `make check-layers` proves more.
INCLUDE_core   := -Icore
INCLUDE_api    := -Iapi -Icore
INCLUDE_server := -Iserver -Iapi -Icore
INCLUDE_tests  := -Itests -Iserver -Iapi -Icore

LIBRARIES := -lmicrohttpd -ljansson -luv -lm
CHECK_CFLAGS = $(shell pkg-config --cflags check)
CHECK_LIBS   = $(shell pkg-config --libs check)

# ---- The product -------------------------------------------------------------------------------------------

$(BINARY): $(SERVER_OBJECTS) $(API_OBJECTS) $(CORE_OBJECTS)
	$(call say,LINK,$@)
	$(Q)$(CC) -pthread $(LINK_$(VARIANT)) $(LDFLAGS) -o $@ $^ $(LIBRARIES)

$(foreach isa,$(ISAS),$(eval $(OUT)/core/%-$(isa).o: ISA := $(isa)))
$(foreach isa,$(ISAS),$(eval $(OUT)/core/%-$(isa).o: core/%.c Makefile; $$(compile-kernel)))

define compile-kernel
$(call say,CC,$< $(ISA))
@mkdir -p $(@D)
$(Q)$(CC) $(COMMON) $(COMMON_$(VARIANT)) $(INCLUDE_core) $(KERNEL_FLAGS) $(KERNEL_$(ISA)) -DCORE_TARGET=$(ISA) $(CFLAGS) -c -o $@ $<
endef

define compile
$(call say,CC,$<)
@mkdir -p $(@D)
$(Q)$(CC) $(COMMON) $(COMMON_$(VARIANT)) $(1) $(CFLAGS) -c -o $@ $<
endef

$(OUT)/core/%.o: core/%.c Makefile
	$(call compile,$(INCLUDE_core) $(CORE_FLAGS))
$(OUT)/api/%.o: api/%.c Makefile
	$(call compile,$(INCLUDE_api) -DGUMBELD_VERSION='"$(VERSION)"')
$(OUT)/server/%.o: server/%.c Makefile
	$(call compile,$(INCLUDE_server) -DGUMBELD_VERSION='"$(VERSION)"')
$(OUT)/tests/%.o: tests/%.c Makefile
	$(call compile,$(INCLUDE_tests) $(CHECK_CFLAGS) -DGUMBELD_BINARY='"$(BINARY)"')

$(OUT)/api/openapi_data.o: api/openapi_data.S api/openapi.yaml build/openapi.json Makefile
	$(call say,AS,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) -c -DOPENAPI_JSON='"build/openapi.json"' -DOPENAPI_YAML='"api/openapi.yaml"' -o $@ $<

build/openapi.json: api/openapi.yaml
	$(call say,JSON,$<)
	@mkdir -p $(@D)
	$(Q)perl -MYAML::PP -MJSON::PP -e 'print JSON::PP->new->canonical->utf8->encode(YAML::PP->new(boolean => "JSON::PP")->load_file(shift))' $< >$@

# ---- Tests -------------------------------------------------------------------------------------------------

$(OUT)/tests/run: $(TEST_OBJECTS) $(SERVER_PARTS) $(API_OBJECTS) $(CORE_OBJECTS)
	$(call say,LINK,$@)
	$(Q)$(CC) -pthread $(LINK_$(VARIANT)) $(LDFLAGS) -o $@ $^ $(LIBRARIES) $(CHECK_LIBS)

.PHONY: check
check: $(BINARY) $(OUT)/tests/run
	$(Q)$(OUT)/tests/run

-include $(patsubst %.o,%.d,$(CORE_OBJECTS) $(API_OBJECTS) $(SERVER_OBJECTS) $(TEST_OBJECTS))
