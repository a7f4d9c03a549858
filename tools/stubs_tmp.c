#include "tools/command.h"
int command_report(Context *c){(void)c;return 3;}
int command_dump(Context *c){(void)c;return 3;}
int command_run(Context *c){(void)c;return 3;}
int command_bench(Context *c){(void)c;return 3;}
