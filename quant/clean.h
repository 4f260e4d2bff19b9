/* clean.h: makes text that came from a file fit to be shown: one line, valid UTF-8, nothing that
 * steers a terminal. */
#ifndef LICHEN_CLEAN_H
#define LICHEN_CLEAN_H

/* Replaces, in place, each control character and each byte of ill-formed UTF-8 by '?'. A sequence
 * cut off by the end of text is removed. */
void clean_text(char *text);

#endif
