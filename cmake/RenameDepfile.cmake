# cmake -DDEPFILE= -DFROM= -DTO= -P: names another target in a make-style dependency file. Spaces in
# a path are escaped there.
string(REPLACE " " "\\ " FROM "${FROM}")
string(REPLACE " " "\\ " TO "${TO}")
file(READ ${DEPFILE} text)
string(REPLACE "${FROM}:" "${TO}:" text "${text}")
string(FIND "${text}" "${TO}:" found)
if(found EQUAL -1)
  message(FATAL_ERROR "${DEPFILE}: no target ${FROM}")
endif()
file(WRITE ${DEPFILE} "${text}")
