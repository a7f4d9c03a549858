/* JSON on a stream, for the program's --json. */
#ifndef VTC_JSON_H
#define VTC_JSON_H

#include <stdio.h>

/* Quoted and escaped; bytes that are not UTF-8 become U+FFFD. */
void vtc_json_string(FILE *out, const char *text);
/* Nine digits, which tell any two floats apart; null when not finite. */
void vtc_json_number(FILE *out, double value);

#endif
