/* Types by inference: results at odd shapes, and what every rule says when it
 * is broken. Both are lines of the graph's text form, where a wrong type is an
 * error that names the right one. */
#include "tests/unit/graph_read.h"
#include "tests/unit/unit.h"

static const char sources[] =
    "graph \"rules\" {\n"
    "  %x = input name=\"x\" : f32[2,6,9,7]\n"
    "  %line = input name=\"line\" : f32[2,6,11]\n"
    "  %tokens = input name=\"tokens\" : f32[2,5,6]\n"
    "  %one = input name=\"one\" : f32[1,1,1,1]\n"
    "  %prime = input name=\"prime\" : f32[1,13,31,37]\n"
    "  %matrix = input name=\"matrix\" : f32[5,7]\n"
    "  %six = input name=\"six\" : f32[6]\n"
    "  %scalar = input name=\"scalar\" : f32[]\n"
    "  %tall = input name=\"tall\" : f32[65536,1]\n"
    "  %wide = input name=\"wide\" : f32[65536]\n"
    "  %rank8 = input name=\"rank8\" : i32[1,1,1,1,1,1,1,2]\n"
    "  %ints = input name=\"ints\" : i32[2,3]\n"
    "  %bytes = input name=\"bytes\" : u8[2,3]\n"
    "  %yes = input name=\"yes\" : bool[2,1]\n"
    "  %w = weight name=\"w\" : f32[8,3,3,2]\n"
    "  %w1 = weight name=\"w1\" : f32[1,1,1,1]\n"
    "  %w11 = weight name=\"w11\" : f32[13,1,3,5]\n"
    "  %wl = weight name=\"wl\" : f32[4,2,4]\n"
    "  %wl4 = weight name=\"wl4\" : f32[4,3,4]\n"
    "  %wm = weight name=\"wm\" : f32[3,6]\n"
    "  %w7 = weight name=\"w7\" : f32[3,2,7,1]\n"
    "  %w8 = weight name=\"w8\" : f32[2,2,7,1]\n"
    "  %w11n = weight name=\"w11n\" : f32[1,11,1]\n"
    "  %eight = weight name=\"eight\" : f32[8]\n";

/* ---- results ----------------------------------------------------------- */

static const char *const results[] = {
    "conv2d %x, %w groups=2 : f32[2,8,7,6]",
    "conv2d %x, %w, %eight groups=2 stride=[3,2] pad=[2,1,0,3] : f32[2,8,3,5]",
    "conv2d %x, %w groups=2 dilation=[4,6] : f32[2,8,1,1]",
    "conv2d %one, %w1 : f32[1,1,1,1]",
    "conv2d %one, %w1 stride=[7,7] pad=[3,3,3,4] : f32[1,1,1,2]",
    "conv2d %prime, %w11 groups=13 stride=[2,3] pad=[1,2,1,2] : "
    "f32[1,13,16,13]",
    "conv1d %line, %wl4 groups=2 : f32[2,4,8]",
    "conv1d %line, %wl4 groups=2 stride=[5] pad=[2,0] dilation=[3] : "
    "f32[2,4,1]",
    "linear %tokens, %wm : f32[2,5,3]",
    "linear %six, %wm : f32[3]",
    "matmul %matrix, %matrix transpose_a=true : f32[7,7]",
    "matmul %matrix, %w7 : f32[3,2,5,1]",
    "matmul %line, %w11n : f32[2,6,1]",
    "matmul %tokens, %tokens transpose_b=true : f32[2,5,5]",
    "matmul %line, %line transpose_a=true : f32[2,11,11]",
    "max_pool2d %x kernel=[3,3] stride=[2,2] pad=[1,1,1,1] : f32[2,6,5,4]",
    "max_pool2d %x kernel=[2,2] stride=[2,2] : f32[2,6,4,3]",
    "max_pool2d %x kernel=[2,2] stride=[2,2] ceil_mode=true : f32[2,6,5,4]",
    "max_pool2d %x : f32[2,6,9,7]",
    "avg_pool2d %x kernel=[9,7] : f32[2,6,1,1]",
    "batch_norm %line, %six, %six, %six, %six : f32[2,6,11]",
    "layer_norm %tokens axis=1 : f32[2,5,6]",
    "group_norm %line groups=6 : f32[2,6,11]",
    "add %scalar, %x : f32[2,6,9,7]",
    "add %tall, %six : f32[65536,6]",
    "mul %tokens, %six : f32[2,5,6]",
    "eq %ints, %ints : bool[2,3]",
    "select %yes, %scalar, %six : f32[2,6]",
    "neg %ints : i32[2,3]",
    "cast %bytes to=f32 : f32[2,3]",
    "cast %x to=bool : bool[2,6,9,7]",
    "one_hot %ints axis=0 depth=4 : f32[4,2,3]",
    "one_hot %ints axis=2 depth=1 : f32[2,3,1]",
    "softmax %six axis=0 : f32[6]",
    "reduce_mean %x axes=[0,1,2,3] : f32[]",
    "reduce_mean %x axes=[1,3] : f32[2,9]",
    "reduce_max %x axes=[1,3] keepdims=true : f32[2,1,9,1]",
    "argmax %x axis=3 keepdims=true : i32[2,6,9,1]",
    "argmax %six axis=0 : i32[]",
    "concat %x : f32[2,6,9,7]",
    "concat %x, %x, %x axis=3 : f32[2,6,9,21]",
    "concat %yes, %yes axis=1 : bool[2,2]",
    "slice %six shape=[2] start=[1] step=[4] : f32[2]",
    "slice %matrix shape=[5,1] start=[0,6] : f32[5,1]",
    "slice %scalar : f32[]",
    "pad %six pad=[5,5] mode=reflect : f32[16]",
    "pad %matrix pad=[0,1,2,0] mode=constant value=inf : f32[7,8]",
    "reshape %scalar shape=[1,1] : f32[1,1]",
    "reshape %one : f32[]",
    "reshape %x shape=[756] : f32[756]",
    "transpose %x perm=[3,0,2,1] : f32[7,2,9,6]",
    "transpose %scalar : f32[]",
    "broadcast %scalar shape=[2,3] : f32[2,3]",
    "broadcast %yes shape=[4,2,3] : bool[4,2,3]",
    "resize %x shape=[2,6,1,1] mode=nearest coords=asymmetric : f32[2,6,1,1]",
    "resize %x shape=[2,6,18,5] mode=bilinear coords=half_pixel : "
    "f32[2,6,18,5]",
    "attention %tokens, %tokens, %tokens heads=6 : f32[2,5,6]",
    "vecdot %tokens, %six axes=[2] : f32[2,5]",
    "vecdot %scalar, %tokens axes=[0,1,2] keepdims=true : f32[1,1,1]",
    "unfold %x kernel=[9,7] : f32[2,6,9,7,1,1]",
    "unfold %matrix kernel=[2,3] stride=[3,2] dilation=[4,1] : f32[2,3,1,3]",
};

static Graph *read_line(Arena *arena, Diag *diag, const char *line)
{
    const char *text = arena_printf(arena, "%s  %%1 = %s\n}\n", sources, line);
    return graph_parse(arena, source_of(arena, "line", text), diag);
}

static void test_results(void)
{
    for (size_t i = 0; i < sizeof results / sizeof *results; i++) {
        Arena *arena = arena_new();
        Diag *diag = diag_new(arena);
        CU_ASSERT_PTR_NOT_NULL(read_line(arena, diag, results[i]));
        diag_print(diag, stderr, 0);
        arena_free(arena);
    }
}

/* floor((in + pads - dilation (k - 1) - 1) / stride) + 1, by counting windows.
 */
static int64_t count_windows(int64_t size, const int64_t *pad, int64_t kernel,
                             int64_t stride, int64_t dilation)
{
    int64_t n = 0, reach = dilation * (kernel - 1) + 1;
    for (int64_t at = -pad[0]; at + reach <= size + pad[1]; at += stride)
        n++;
    return n;
}

static void check_conv1d(int64_t size, int64_t kernel, int64_t stride,
                         int64_t dilation)
{
    Arena *arena = arena_new();
    const int64_t pad[2] = {stride - 1, kernel / 2};
    Graph *graph = graph_new(arena, "conv1d");
    Type x_type = {DT_f32, shape_of(3, (int64_t[]){1, 1, size})};
    Type w_type = {DT_f32, shape_of(3, (int64_t[]){1, 1, kernel})};
    Value *args[] = {graph_source(graph, OP_input, "x", x_type, (Span){0}),
                     graph_source(graph, OP_weight, "w", w_type, (Span){0})};
    Attrs attr = attrs_default();
    attr.stride.at[0] = stride;
    attr.dilation.at[0] = dilation;
    attr.pad.at[0] = pad[0];
    attr.pad.at[1] = pad[1];
    Type type;
    Text why = text_new(arena);
    bool ok = infer_type(OP_conv1d, &attr, 2, args, &type, &why);
    int64_t n = count_windows(size, pad, kernel, stride, dilation);
    CU_ASSERT_EQUAL(ok, n > 0);
    CU_ASSERT(!ok || type.shape.dim[2] == n);
    CU_ASSERT(ok == (why.n == 0));
    arena_free(arena);
}

static void test_windows_are_counted(void)
{
    for (int64_t size = 1; size <= 13; size++)
        for (int64_t kernel = 1; kernel <= 5; kernel++)
            for (int64_t stride = 1; stride <= 4; stride++)
                for (int64_t dilation = 1; dilation <= 3; dilation++)
                    check_conv1d(size, kernel, stride, dilation);
}

/* ---- rules ------------------------------------------------------------- */

typedef struct Rule {
    const char *line, *message;
} Rule;

static const Rule contract_rules[] = {
    {"conv2d %ints, %w",                                          "argument 1 must be f32, is i32"                     },
    {"conv2d %line, %w",                                          "argument 1 must be [N,C,H,W], is [2,6,11]"          },
    {"conv2d %x, %wl",                                            "argument 2 must be [O,C/groups,KH,KW], is [4,2,4]"  },
    {"conv2d %x, %w stride=[1]",                                  "stride needs 2 entries, has 1"                      },
    {"conv2d %x, %w dilation=[1,1,1]",                            "dilation needs 2 entries, has 3"                    },
    {"conv2d %x, %w pad=[1,1]",                                   "pad needs 4 entries, has 2"                         },
    {"conv2d %x, %w groups=0",                                    "groups must be at least 1, is 0"                    },
    {"conv2d %x, %w groups=4",                                    "6 input channels do not divide into 4 groups"       },
    {"conv2d %x, %w groups=3",                                    "8 output channels do not divide into 3 groups"      },
    {"conv2d %x, %w",                                             "weight [8,3,3,2] needs 3 input channels per group, x "
                      "[2,6,9,7] with 1 groups has 6"                                             },
    {"conv2d %x, %w, %six groups=2",                              "bias must be [8], is [6]"                           },
    {"conv2d %x, %w groups=2 stride=[0,1]",
     "kernel, stride and dilation must be at least 1 and padding at least 0; "
     "height has kernel 3, stride 0, dilation 1, padding 0 + 0"                                                        },
    {"conv2d %x, %w groups=2 pad=[0,-1,0,0]",                     "width has kernel 2, stride 1, "
                                              "dilation 1, padding -1 + 0"},
    {"conv2d %x, %w groups=2 dilation=[1,2147483648]",            "must be below 2^31"                                 },
    {"conv2d %x, %w groups=2 pad=[9223372036854775807,0,0,0]",
     "must be below 2^31"                                                                                              },
    {"conv2d %x, %w groups=2 dilation=[5,1]",
     "window of 11 does not fit into height 9 with padding 0 + 0"                                                      },
    {"conv2d %x, %w groups=2 pad=[0,2147483647,0,2147483647]",
     "more than 2^31 - 1"                                                                                              },
    {"conv1d %x, %wl",                                            "argument 1 must be [N,C,L], is [2,6,9,7]"           },
    {"conv1d %line, %w",                                          "argument 2 must be [O,C/groups,K], is [8,3,3,2]"    },
    {"conv1d %line, %wl groups=3",
     "4 output channels do not divide into 3 groups"                                                                   },
    {"conv1d %line, %wl pad=[1]",                                 "pad needs 2 entries, has 1"                         },
    {"max_pool2d %line",                                          "argument 1 must be [N,C,H,W], is [2,6,11]"          },
    {"max_pool2d %x kernel=[2,2] pad=[0,0,0,2]",
     "padding 2 must be smaller than the window 2"                                                                     },
    {"max_pool2d %x kernel=[2]",                                  "kernel needs 2 entries, has 1"                      },
    {"avg_pool2d %x kernel=[10,1]",                               "window of 10 does not fit into height 9"            },
    {"linear %tokens, %w",                                        "argument 2 must be [O,I], is [8,3,3,2]"             },
    {"linear %line, %wm",
     "weight [3,6] needs a last dimension of 6, x is [2,6,11]"                                                         },
    {"linear %scalar, %wm",                                       "needs a last dimension of 6, x is []"               },
    {"linear %tokens, %wm, %six",                                 "bias must be [3], is [6]"                           },
    {"matmul %six, %matrix",
     "operands need two dimensions at least, are [6] and [5,7]"                                                        },
    {"matmul %matrix, %matrix",
     "inner dimensions differ: [5,7] has 7, [5,7] has 5"                                                               },
    {"matmul %tokens, %tokens transpose_a=true transpose_b=true",
     "[2,5,6] transposed has 5, [2,5,6] transposed has 6"                                                              },
    {"matmul %w7, %w8 transpose_a=true",
     "shapes [3,2,7,1] and [2,2,7,1] do not broadcast: 3 against 2"                                                    },
    {"unfold %six kernel=[1,1]",                                  "x must be [..,H,W] of at most 6 dimensions, is [6]" },
    {"unfold %x",                                                 "kernel needs 2 entries, has 0"                      },
    {"unfold %x kernel=[3,3] dilation=[1]",                       "dilation needs 2 entries, has 1"                    },
    {"unfold %x kernel=[3,8]",
     "window of 8 does not fit into width 7 with padding 0 + 0"                                                        },
    {"unfold %x kernel=[0,1]",                                    "kernel, stride and dilation must be at least 1"     },
    {"attention %tokens, %tokens, %line",
     "q [2,5,6], k [2,5,6] and v [2,6,11]"                                                                             },
    {"attention %tokens, %tokens, %tokens heads=4",
     "do not divide into 4 heads"                                                                                      },
    {"attention %tokens, %tokens, %tokens heads=0",
     "do not divide into 0 heads"                                                                                      },
    {"attention %tokens, %tokens, %x",                            "argument 3 must be [N,K,V]"                         },
    {"batch_norm %six, %six, %six, %six, %six",                   "x must be [N,C,..], is [6]"                         },
    {"batch_norm %x, %six, %six, %six, %eight",
     "running variance must be [6], is [8]"                                                                            },
    {"batch_norm %x, %six, %six, %six",                           "takes 5 to 5 arguments, has 4"                      },
    {"layer_norm %tokens axis=3",                                 "axis 3 is outside [2,5,6]"                          },
    {"layer_norm %tokens, %six axis=1",                           "weight must be [5,6], is [6]"                       },
    {"layer_norm %tokens, %six, %eight axis=2",                   "bias must be [6], is [8]"                           },
    {"group_norm %six",                                           "x must be [N,C,..], is [6]"                         },
    {"group_norm %x groups=4",                                    "6 channels do not divide into 4 groups"             },
    {"group_norm %x, %eight groups=3",                            "weight must be [6], is [8]"                         },
};

static const Rule map_rules[] = {
    {"relu %ints",                                                "argument 1 must be f32, is i32"                        },
    {"relu",                                                      "takes 1 to 1 arguments, has 0"                         },
    {"gelu %x",                                                   "mode must be erf or tanh, is none"                     },
    {"neg %yes",                                                  "argument must be f32 or i32, is bool"                  },
    {"not %x",                                                    "argument must be bool, is f32"                         },
    {"clamp %x min=2 max=1",                                      "min must not be above max, are 2 and 1"                },
    {"clamp %x min=nan",                                          "min must not be above max"                             },
    {"cast %x to=f16",                                            "f16 is a storage type of weights only"                 },
    {"add %x, %ints",                                             "operands must have one type, are f32 and i32"          },
    {"add %bytes, %bytes",                                        "operands must be f32 or i32, are u8"                   },
    {"add %x, %six",                                              "shapes [2,6,9,7] and [6] do not broadcast: 7 against 6"},
    {"add %wide, %tall",
     "the result [65536,65536] has 4294967296 elements, more than 2^31 - 1"                                               },
    {"div %ints, %ints",                                          "argument 1 must be f32, is i32"                        },
    {"and %yes, %ints",                                           "operands must have one type, are bool and i32"         },
    {"and %ints, %ints",                                          "operands must be bool, are i32 and i32"                },
    {"lt %yes, %yes",                                             "operands must be f32 or i32, are bool"                 },
    {"select %x, %x, %x",                                         "condition must be bool, is f32"                        },
    {"select %yes, %x, %ints",                                    "operands must have one type, are f32 and i32"          },
    {"select %yes, %line, %line",                                 "shapes [2,1] and [2,6,11] do not broadcast"            },
    {"softmax %scalar",                                           "axis 0 is outside []"                                  },
    {"softmax %x axis=-1",                                        "axis -1 is outside [2,6,9,7]"                          },
    {"softmax %x axis=4294967296",                                "axis 4294967296 is outside"                            },
    {"vecdot %x, %x",                                             "no axes to sum over"                                   },
    {"vecdot %x, %six axes=[1]",                                  "shapes [2,6,9,7] and [6] do not broadcast"             },
    {"vecdot %scalar, %x axes=[4]",                                  "axis 4 is outside"                                     },
    {"vecdot %ints, %ints axes=[0]",                              "argument 1 must be f32, is i32"                        },
    {"reduce_sum %x",                                             "no axes to reduce"                                     },
    {"reduce_sum %x axes=[4]",                                    "axis 4 is outside [2,6,9,7]"                           },
    {"reduce_sum %x axes=[1,1]",
     "axes must be ascending and different, 1 follows 1"                                                                  },
    {"reduce_max %ints axes=[0]",                                 "argument 1 must be f32, is i32"                        },
    {"argmax %x axis=9",                                          "axis 9 is outside [2,6,9,7]"                           },
    {"one_hot %x depth=3",                                        "classes must be i32, are f32"                          },
    {"one_hot %ints axis=3 depth=3",                              "axis 3 is outside the result of [2,3]"                 },
    {"one_hot %rank8 depth=2",                                    "axis 0 is outside the result of"                       },
    {"one_hot %ints",                                             "a dimension must be at least 1, the result is [0,2,3]" },
    {"one_hot %ints depth=-4",                                    "the result is [-4,2,3]"                                },
    {"one_hot %ints depth=9223372036854775807",                   "more than 2^31 - 1"                                    },
    {"concat %x, %x axis=4",                                      "axis 4 is outside [2,6,9,7]"                           },
    {"concat %x, %prime axis=1",
     "shapes [2,6,9,7] and [1,13,31,37] differ beside axis 1"                                                             },
    {"concat %six, %scalar",                                      "shapes [6] and [] differ beside axis 0"                },
    {"concat %ints, %bytes",                                      "operands must have one type, are i32 and u8"           },
    {"slice %x shape=[1]",                                        "start and shape need 4 entries for [2,6,9,7], have "
                           "0 and 1"                                                            },
    {"slice %six shape=[1] start=[0] step=[1,1]",
     "step needs 1 entries, has 2"                                                                                        },
    {"slice %six shape=[2] start=[5]",
     "2 elements from 5 in steps of 1 are outside dimension 0 of [6]"                                                     },
    {"slice %six shape=[0] start=[0]",                            "0 elements from 0"                                     },
    {"slice %six shape=[1] start=[-1]",                           "1 elements from -1"                                    },
    {"slice %six shape=[2] start=[1] step=[9223372036854775807]",
     "in steps of 9223372036854775807 are outside"                                                                        },
    {"slice %six shape=[9223372036854775807] start=[1]",          "are outside"                                           },
    {"pad %six pad=[1] mode=constant",                            "pad needs 2 entries for [6], has 1"                    },
    {"pad %six pad=[1,1]",                                        "mode must be constant or reflect, is none"             },
    {"pad %six pad=[1,-1] mode=constant",
     "padding must be at least 0 and below 2^31, is 1 + -1 in dimension 0"                                                },
    {"pad %six pad=[6,0] mode=reflect",
     "reflection of 6 needs more than the 6 elements of dimension 0 of [6]"                                               },
    {"pad %tall pad=[2147483647,0,0,0] mode=constant",            "more than 2^31 - 1"                                    },
    {"reshape %x shape=[7,7]",                                    "[2,6,9,7] has 756 elements, [7,7] has 49"              },
    {"reshape %x shape=[-1,756]",                                 "shape [-1,756] has a dimension below 1"                },
    {"reshape %one shape=[1,1,1,1,1,1,1,1,1]",                    "at most 8 dimensions"                                  },
    {"reshape %x shape=[4294967296,4294967296]",
     "shape [4294967296,4294967296] has 18446744073709551616 elements"                                                    },
    {"transpose %x perm=[0,1]",                                   "perm needs 4 entries for [2,6,9,7], has 2"             },
    {"transpose %x perm=[0,1,1,2]",
     "perm must name each dimension of [2,6,9,7] once"                                                                    },
    {"transpose %x perm=[0,1,2,4]",                               "perm must name each dimension"                         },
    {"broadcast %six shape=[1]",                                  "[6] does not broadcast to [1]"                         },
    {"broadcast %six shape=[2]",                                  "shapes [6] and [2] do not broadcast"                   },
    {"broadcast %six shape=[0]",                                  "shape [0] has a dimension below 1"                     },
    {"broadcast %six shape=[2147483647,6]",                       "more than 2^31 - 1"                                    },
    {"resize %line",                                              "argument 1 must be [N,C,H,W], is [2,6,11]"             },
    {"resize %x shape=[2,5,9,7] mode=nearest coords=half_pixel",
     "height and width alone can change, from [2,6,9,7] to [2,5,9,7]"                                                     },
    {"resize %x shape=[2,6,9,7] coords=half_pixel",
     "mode must be nearest or bilinear, is none"                                                                          },
    {"resize %x shape=[2,6,9,7] mode=nearest",
     "coords must be half_pixel, align_corners or asymmetric, is none"                                                    },
    {"resize %x shape=[2,6,0,7] mode=nearest coords=half_pixel",
     "shape [2,6,0,7] has a dimension below 1"                                                                            },
};

/* Every message starts with the operator and says the rule and the values. */
static void check_rule(const Rule *rule)
{
    Arena *arena = arena_new();
    Diag *diag = diag_new(arena);
    char *op = arena_strndup(arena, rule->line, strcspn(rule->line, " "));
    char *prefix = arena_printf(arena, "%s: ", op);
    read_line(arena, diag, arena_printf(arena, "%s : f32[1]", rule->line));
    const char *said =
        diag->messages.n ? diag->messages.at[0]->text : "nothing";
    bool as_expected = diag->errors == 1 && strstr(said, rule->message) &&
                       strncmp(said, prefix, strlen(prefix)) == 0;
    CU_ASSERT(as_expected);
    if (!as_expected)
        fprintf(stderr, "%s\n  said: %s\n", rule->line, said);
    arena_free(arena);
}

static void test_rules(void)
{
    for (size_t i = 0; i < sizeof contract_rules / sizeof *contract_rules; i++)
        check_rule(&contract_rules[i]);
    for (size_t i = 0; i < sizeof map_rules / sizeof *map_rules; i++)
        check_rule(&map_rules[i]);
}

static const UnitTest tests[] = {
    {"results",             test_results            },
    {"windows are counted", test_windows_are_counted},
    {"rules",               test_rules              },
};

int main(void)
{
    return UNIT_RUN(tests);
}
