# Compiler settings and the three functions that the folders use:
#   lichen_library(NAME SOURCES ... [USES ...] [USES_PRIVATE ...])   a static library lichen_NAME
#   lichen_test(NAME SOURCES ... USES ... [ENVIRONMENT ...])         a cmocka program run by ctest
#   lichen_fuzzer(NAME SOURCES ... USES ... CORPUS DIR)              a libFuzzer program, or without
#                                                                    LICHEN_FUZZ a replay of CORPUS
set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)

add_library(lichen_flags INTERFACE)
target_compile_options(lichen_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wvla
  -Werror -fno-math-errno -ffp-contract=off -fvisibility=hidden)
target_compile_definitions(lichen_flags INTERFACE _POSIX_C_SOURCE=200809L _FILE_OFFSET_BITS=64)
if(CMAKE_BUILD_TYPE STREQUAL "Release")
  target_compile_options(lichen_flags INTERFACE -fstack-protector-strong)
  target_compile_definitions(lichen_flags INTERFACE _FORTIFY_SOURCE=2)
endif()
if(LICHEN_SANITIZE)
  target_compile_options(lichen_flags INTERFACE
    -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(lichen_flags INTERFACE -fsanitize=address,undefined)
endif()
if(LICHEN_FUZZ)
  if(NOT CMAKE_C_COMPILER_ID STREQUAL "Clang")
    message(FATAL_ERROR "libFuzzer comes with clang: cmake --preset fuzz")
  endif()
  target_compile_options(lichen_flags INTERFACE
    -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all)
  target_link_options(lichen_flags INTERFACE -fsanitize=address,undefined)
endif()

function(lichen_library name)
  cmake_parse_arguments(arg "" "" "SOURCES;USES;USES_PRIVATE" ${ARGN})
  add_library(lichen_${name} STATIC ${arg_SOURCES})
  target_include_directories(lichen_${name} PUBLIC ${CMAKE_CURRENT_SOURCE_DIR})
  target_link_libraries(lichen_${name} PRIVATE lichen_flags ${arg_USES_PRIVATE} PUBLIC ${arg_USES})
endfunction()

# Sources of the library lichen_NAME that are compiled once an instruction set
# (quant/instruction_set.h).
function(lichen_instruction_sets name)
  set(sets plain)
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
    set(sets plain avx2 avx512)
    set(options_avx2 -mavx2)
    set(options_avx512 -mavx512f -mavx512bw -mavx512dq -mavx512vl -mprefer-vector-width=512)
  endif()
  foreach(set ${sets})
    add_library(lichen_${name}_${set} OBJECT ${ARGN})
    target_link_libraries(lichen_${name}_${set} PRIVATE lichen_flags)
    target_include_directories(lichen_${name}_${set} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR}
      ${CMAKE_SOURCE_DIR}/quant)
    target_compile_definitions(lichen_${name}_${set} PRIVATE INSTRUCTION_SET=${set})
    target_compile_options(lichen_${name}_${set} PRIVATE -O3 -fno-trapping-math ${options_${set}})
    target_sources(lichen_${name} PRIVATE $<TARGET_OBJECTS:lichen_${name}_${set}>)
  endforeach()
endfunction()

# tests/ mirrors the folders. LICHEN_SHARED is ../shared beside the clone; a test that needs a file
# there and does not find it skips, and the skip is counted.
function(lichen_test name)
  cmake_parse_arguments(arg "" "TIMEOUT" "SOURCES;USES;ENVIRONMENT;LABELS" ${ARGN})
  pkg_check_modules(CMOCKA REQUIRED IMPORTED_TARGET cmocka)
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE lichen_flags ${arg_USES} PkgConfig::CMOCKA)
  target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR}/tests)
  target_compile_definitions(${name} PRIVATE
    LICHEN_SHARED="${CMAKE_SOURCE_DIR}/../shared" LICHEN_TEST_DATA="${CMAKE_SOURCE_DIR}/tests"
    LICHEN_TEST_OUTPUT="${CMAKE_CURRENT_BINARY_DIR}")
  add_test(NAME ${name} COMMAND ${name})
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 600)
  endif()
  set_tests_properties(${name} PROPERTIES TIMEOUT ${arg_TIMEOUT}
    ENVIRONMENT "${arg_ENVIRONMENT}" ENVIRONMENT_MODIFICATION "VK_DRIVER_FILES=unset:"
    LABELS "${arg_LABELS}")
endfunction()

function(lichen_fuzzer name)
  cmake_parse_arguments(arg "" "CORPUS" "SOURCES;USES" ${ARGN})
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE lichen_flags ${arg_USES})
  if(NOT LICHEN_FUZZ)
    target_sources(${name} PRIVATE ${CMAKE_SOURCE_DIR}/tests/fuzz/replay.c)
    add_test(NAME ${name} COMMAND ${name} ${arg_CORPUS})
    return()
  endif()
  target_link_options(${name} PRIVATE -fsanitize=fuzzer)
  add_test(NAME ${name} COMMAND ${CMAKE_SOURCE_DIR}/tests/fuzz/run_fuzzer.sh
    $<TARGET_FILE:${name}> ${arg_CORPUS})
endfunction()
