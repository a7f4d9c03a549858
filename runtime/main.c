/* The standalone program. An archive member of its own: a program that has its
 * own main never meets it. */
#include "program.h"

int main(int argc, char **argv)
{
    return vtc_program(vtc_main_model, argc, argv);
}
