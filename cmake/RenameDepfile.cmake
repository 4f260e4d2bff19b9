# cmake -DDEPFILE= -DFROM= -DTO= -P: names another target in a make-style dependency file.
file(READ ${DEPFILE} text)
string(REPLACE "${FROM}:" "${TO}:" text "${text}")
file(WRITE ${DEPFILE} "${text}")
