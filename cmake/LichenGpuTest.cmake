# Tests that need a Vulkan device:
#
#   lichen_gpu_test(NAME SOURCES ... USES ... [ENVIRONMENT ...] [LABELS ...] [TIMEOUT ...] [FAULTS]
#                   [ICD FILE])
#
# is lichen_test pinned to the software driver lavapipe, or to the driver file LICHEN_TEST_ICD, or to
# ICD where only one driver makes sense.
# FAULTS puts the fault layer (tests/gpu/fault_layer.c) between program and driver; the program then
# sets VKFAULT before it opens a device. lichen_shaders' TEST_* modules and gpu_fixture.h come with
# USES lichen_gpu_fixture.
set(LICHEN_TEST_ICD /usr/share/vulkan/icd.d/lvp_icd.json CACHE FILEPATH
    "Vulkan driver file of the GPU tests")
set(LICHEN_FAULT_LAYER_DIR ${CMAKE_BINARY_DIR}/fault_layer)

function(lichen_gpu_test name)
  cmake_parse_arguments(arg "FAULTS" "TIMEOUT;ICD" "SOURCES;USES;ENVIRONMENT;LABELS" ${ARGN})
  if(NOT arg_ICD)
    set(arg_ICD ${LICHEN_TEST_ICD})
  endif()
  list(APPEND arg_ENVIRONMENT VK_ICD_FILENAMES=${arg_ICD}
       LSAN_OPTIONS=suppressions=${CMAKE_SOURCE_DIR}/tests/lsan.supp:print_suppressions=0)
  if(arg_FAULTS)
    # VK_LAYER_PATH replaces the system's folder, so both are named.
    list(APPEND arg_ENVIRONMENT VK_INSTANCE_LAYERS=VK_LAYER_LICHEN_fault
         VK_LAYER_PATH=${LICHEN_FAULT_LAYER_DIR}:/usr/share/vulkan/explicit_layer.d)
  endif()
  lichen_test(${name} SOURCES ${arg_SOURCES} USES ${arg_USES} ENVIRONMENT ${arg_ENVIRONMENT}
              LABELS gpu ${arg_LABELS} TIMEOUT ${arg_TIMEOUT})
  if(LICHEN_SANITIZE)
    target_sources(${name} PRIVATE ${CMAKE_SOURCE_DIR}/tests/gpu/keep_libraries.c)
    target_link_options(${name} PRIVATE -Wl,--export-dynamic-symbol=dlclose)
  endif()
endfunction()
