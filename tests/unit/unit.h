/* Shared by the CUnit programs: `int main(void) { return UNIT_RUN(tests); }` */
#ifndef VTC_TESTS_UNIT_H
#define VTC_TESTS_UNIT_H

#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>

typedef struct UnitTest {
    const char *name;
    CU_TestFunc run;
} UnitTest;

static inline int unit_run(const char *suite_name, const UnitTest *tests, int n)
{
    if (CU_initialize_registry() != CUE_SUCCESS)
        return 1;
    CU_pSuite suite = CU_add_suite(suite_name, NULL, NULL);
    for (int i = 0; suite && i < n; i++)
        if (!CU_add_test(suite, tests[i].name, tests[i].run))
            return 1;
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    int failed = (int)CU_get_number_of_failures() + (int)CU_get_number_of_suites_failed();
    CU_cleanup_registry();
    return failed != 0;
}

#define UNIT_RUN(tests)                                                        \
    unit_run(__FILE__, tests, (int)(sizeof(tests) / sizeof *(tests)))

#endif
