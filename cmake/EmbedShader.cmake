# cmake -DNAME= -DSPIRV= -DOUTPUT= -P: writes a SPIR-V module as a C constant. The count of bindings
# is read from the module: OpDecorate (71, four words) with Binding (33).
file(READ ${SPIRV} hex HEX)
string(REGEX REPLACE "(..)(..)(..)(..)" "0x\\4\\3\\2\\1," words "${hex}")
set(binding_count 0)
string(REGEX MATCHALL "0x00040047,0x[0-9a-f]+,0x00000021,0x[0-9a-f]+," bindings "${words}")
foreach(binding ${bindings})
  string(REGEX REPLACE ".*,0x([0-9a-f]+),$" "0x\\1" number ${binding})
  math(EXPR count "${number} + 1")
  if(count GREATER binding_count)
    set(binding_count ${count})
  endif()
endforeach()
string(REGEX REPLACE "(0x........,0x........,0x........,0x........,0x........,0x........,)"
       "    \\1\n" rows "${words}")
file(WRITE ${OUTPUT} "/* generated from ${NAME}.spv */
#include \"shader_table.h\"

static const uint32_t code[] = {
${rows}
};

const struct shader shader_${NAME} = {\"${NAME}\", code, sizeof code, ${binding_count}};
")
