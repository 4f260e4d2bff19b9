# Tests that need a Vulkan device:
#
#   lichen_gpu_test(NAME SOURCES ... USES ... [ENVIRONMENT ...] [LABELS ...] [TIMEOUT ...] [FAULTS])
#
# is lichen_test pinned to the software driver lavapipe, or to the driver file LICHEN_TEST_ICD.
# FAULTS puts the fault layer (tests/gpu/fault_layer.c) between program and driver; the program then
# sets VKFAULT before it opens a device. lichen_shaders' TEST_* modules and gpu_fixture.h come with
# USES lichen_gpu_fixture.
set(LICHEN_TEST_ICD /usr/share/vulkan/icd.d/lvp_icd.json CACHE FILEPATH
    "Vulkan driver file of the GPU tests")
set(LICHEN_FAULT_LAYER_DIR ${CMAKE_BINARY_DIR}/fault_layer)

function(lichen_gpu_test name)
  cmake_parse_arguments(arg "FAULTS" "TIMEOUT" "SOURCES;USES;ENVIRONMENT;LABELS" ${ARGN})
  list(APPEND arg_ENVIRONMENT VK_ICD_FILENAMES=${LICHEN_TEST_ICD}
       LSAN_OPTIONS=suppressions=${CMAKE_SOURCE_DIR}/tests/lsan.supp:print_suppressions=0)
  if(arg_FAULTS)
    # VK_LAYER_PATH replaces the system's folder, so both are named.
    list(APPEND arg_ENVIRONMENT VK_INSTANCE_LAYERS=VK_LAYER_LICHEN_fault
         VK_LAYER_PATH=${LICHEN_FAULT_LAYER_DIR}:/usr/share/vulkan/explicit_layer.d)
  endif()
  lichen_test(${name} SOURCES ${arg_SOURCES} USES ${arg_USES} ENVIRONMENT ${arg_ENVIRONMENT}
              LABELS gpu ${arg_LABELS} TIMEOUT ${arg_TIMEOUT})
endfunction()
