# Compiles GLSL compute shaders to SPIR-V and embeds them as C constants.
#
#   lichen_shaders(TARGET DEF_FILE)
#
# adds to TARGET one generated source a line of DEF_FILE. A line is
#
#   X(NAME, file.comp, "MACRO=VALUE MACRO")
#
# NAME in capitals, the file relative to DEF_FILE's folder, the macros defined while it is compiled
# (one file may be built in many variants). The result is `const struct shader shader_NAME`
# (shaders/shader_table.h). Includes are searched beside the .comp, in shaders/ and in quant/.
find_program(LICHEN_GLSLANG glslangValidator REQUIRED)
find_program(LICHEN_SPIRV_VAL spirv-val)

function(lichen_shader target name source macros)
  set(base ${CMAKE_CURRENT_BINARY_DIR}/spirv/${name})
  set(defines "")
  separate_arguments(words UNIX_COMMAND "${macros}")
  foreach(word ${words})
    list(APPEND defines "-D${word}")
  endforeach()
  set(validate "")
  if(LICHEN_SPIRV_VAL)
    set(validate COMMAND ${LICHEN_SPIRV_VAL} --target-env vulkan1.2 ${base}.spv)
  endif()
  add_custom_command(
    OUTPUT ${base}.c
    COMMAND ${LICHEN_GLSLANG} -V --quiet --target-env vulkan1.2 ${defines}
            -I${CMAKE_SOURCE_DIR}/shaders -I${CMAKE_SOURCE_DIR}/quant
            --depfile ${base}.d -o ${base}.spv ${source}
    ${validate}
    COMMAND ${CMAKE_COMMAND} -DNAME=${name} -DSPIRV=${base}.spv -DOUTPUT=${base}.c
            -P ${CMAKE_SOURCE_DIR}/cmake/EmbedShader.cmake
    # glslang names the .spv as the depfile's target; ninja wants the declared output.
    COMMAND ${CMAKE_COMMAND} -DDEPFILE=${base}.d -DFROM=${base}.spv -DTO=${base}.c
            -P ${CMAKE_SOURCE_DIR}/cmake/RenameDepfile.cmake
    DEPENDS ${source} ${CMAKE_SOURCE_DIR}/cmake/EmbedShader.cmake
            ${CMAKE_SOURCE_DIR}/cmake/RenameDepfile.cmake
    DEPFILE ${base}.d
    COMMENT "Shader ${name}" VERBATIM)
  target_sources(${target} PRIVATE ${base}.c)
endfunction()

function(lichen_shaders target def_file)
  get_filename_component(def_file ${def_file} ABSOLUTE)
  get_filename_component(folder ${def_file} DIRECTORY)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${def_file})
  file(MAKE_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/spirv)
  target_include_directories(${target} PRIVATE ${CMAKE_SOURCE_DIR}/shaders)
  file(STRINGS ${def_file} lines REGEX "^ *X\\(")
  foreach(line ${lines})
    if(NOT line MATCHES "^ *X\\(([A-Z0-9_]+), *([A-Za-z0-9_./]+), *\"([^\"]*)\"\\) *$")
      message(FATAL_ERROR "${def_file}: want X(NAME, file.comp, \"MACROS\"), found: ${line}")
    endif()
    set(name ${CMAKE_MATCH_1})
    set(source ${folder}/${CMAKE_MATCH_2})
    set(macros "${CMAKE_MATCH_3}")
    lichen_shader(${target} ${name} ${source} "${macros}")
  endforeach()
endfunction()
