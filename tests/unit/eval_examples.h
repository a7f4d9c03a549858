/* Small evaluations worked out by hand: every operator of ops.def has one at
 * least (test_eval.c checks that). %x, %w, .. are constants; the result is %y. */
#ifndef VTC_TESTS_EVAL_EXAMPLES_H
#define VTC_TESTS_EVAL_EXAMPLES_H

enum { MOST_ELEMENTS = 16 };

typedef struct Example {
    const char *name; /* operator, then what is special */
    const char *text; /* the lines of the graph before the output */
    int n;
    double y[MOST_ELEMENTS];
} Example;

#define SQUARE3 "%x = constant : f32[1,1,3,3] data {1,2,3,4,5,6,7,8,9}\n"
#define ROW4 "%x = constant : f32[1,1,1,4] data {1,2,3,4}\n"
#define ROW3(a, b, c) "%x = constant : f32[3] data {" #a "," #b "," #c "}\n"
#define ROW3_WITH(a, b, c, d, e, f) \
    ROW3(a, b, c) "%w = constant : f32[3] data {" #d "," #e "," #f "}\n"

static const Example examples[] = {
    {"constant of one value", "%y = constant value=2.5 : f32[2]\n", 2, {2.5, 2.5}},
    {"conv2d",
     SQUARE3 "%w = constant : f32[1,1,2,2] data {1,0,0,-1}\n"
             "%b = constant : f32[1] data {10}\n"
             "%y = conv2d %x, %w, %b : f32[1,1,2,2]\n",
     4, {6, 6, 6, 6}},
    {"conv2d padded at the top and left, stride 2",
     SQUARE3 "%w = constant : f32[1,1,2,2] data {1,2,3,4}\n"
             "%y = conv2d %x, %w stride=[2,2] pad=[1,1,0,0] : f32[1,1,2,2]\n",
     4, {4, 18, 36, 77}},
    {"conv2d of two groups",
     "%x = constant : f32[1,2,1,2] data {1,2,3,4}\n"
     "%w = constant : f32[2,1,1,1] data {10,-1}\n"
     "%y = conv2d %x, %w groups=2 : f32[1,2,1,2]\n",
     4, {10, 20, -3, -4}},
    {"conv1d dilated",
     "%x = constant : f32[1,1,5] data {1,2,3,4,5}\n"
     "%w = constant : f32[1,1,2] data {1,10}\n"
     "%y = conv1d %x, %w dilation=[2] pad=[0,1] : f32[1,1,4]\n",
     4, {31, 42, 53, 4}},
    {"linear",
     "%x = constant : f32[2,2] data {1,2,3,4}\n"
     "%w = constant : f32[3,2] data {1,0,0,1,1,1}\n"
     "%b = constant : f32[3] data {0,0,10}\n"
     "%y = linear %x, %w, %b : f32[2,3]\n",
     6, {1, 2, 13, 3, 4, 17}},
    {"matmul of a transpose",
     "%x = constant : f32[2,2] data {1,2,3,4}\n"
     "%w = constant : f32[2,1] data {1,10}\n"
     "%y = matmul %x, %w transpose_a=true : f32[2,1]\n",
     2, {31, 42}},
    {"matmul, leading dimensions broadcast",
     "%x = constant : f32[2,1,1,2] data {1,2,3,4}\n"
     "%w = constant : f32[3,2,1] data {1,0,0,1,1,1}\n"
     "%y = matmul %x, %w : f32[2,3,1,1]\n",
     6, {1, 2, 3, 3, 4, 7}},
    /* Scores of head 1: 0 and ln 3, so shares 1/4 and 3/4; of head 2: equal. */
    {"attention of two heads",
     "%q = constant : f32[1,1,2] data {1,0}\n"
     "%k = constant : f32[1,2,2] data {0,5,1,7}\n"
     "%v = constant : f32[1,2,2] data {4,2,8,4}\n"
     "%y = attention %q, %k, %v heads=2 scale=1.0986122886681098 : f32[1,1,2]\n",
     2, {7, 3}},
    {"vecdot of windows with what repeats",
     "%x = constant : f32[1,2,2] data {1,2,3,4}\n%w = constant : f32[2,1,2] data {1,10,2,0}\n"
     "%y = vecdot %x, %w axes=[2] : f32[2,2]\n",
     4, {21, 43, 2, 6}},
    {"vecdot over two, one of them repeated, keeps them",
     "%x = constant : f32[2,2] data {1,2,3,4}\n%w = constant : f32[2,1] data {1,10}\n"
     "%y = vecdot %x, %w axes=[0,1] keepdims=true : f32[1,1]\n",
     1, {73}},
    {"max_pool2d",
     SQUARE3 "%y = max_pool2d %x kernel=[2,2] stride=[1,1] : f32[1,1,2,2]\n",
     4, {5, 6, 8, 9}},
    {"max_pool2d, padding never wins",
     "%x = constant : f32[1,1,1,2] data {-1,-2}\n"
     "%y = max_pool2d %x kernel=[1,2] stride=[1,2] pad=[0,1,0,1] : f32[1,1,1,2]\n",
     2, {-1, -2}},
    {"avg_pool2d, padding does not count",
     ROW4 "%y = avg_pool2d %x kernel=[1,2] stride=[1,2] pad=[0,1,0,1] : f32[1,1,1,3]\n",
     3, {1, 2.5, 4}},
    {"avg_pool2d, padding counts",
     ROW4 "%y = avg_pool2d %x kernel=[1,2] stride=[1,2] pad=[0,1,0,1] count_pad=true "
          ": f32[1,1,1,3]\n",
     3, {0.5, 2.5, 2}},
    {"avg_pool2d ceil_mode, a window beyond the end is as long as it lies inside",
     ROW4 "%y = avg_pool2d %x kernel=[1,3] stride=[1,2] ceil_mode=true count_pad=true "
          ": f32[1,1,1,2]\n",
     2, {2, 3.5}},
    {"batch_norm",
     "%x = constant : f32[1,2,2] data {1,3,5,7}\n"
     "%w = constant : f32[2] data {2,1}\n"
     "%b = constant : f32[2] data {0,10}\n"
     "%m = constant : f32[2] data {1,5}\n"
     "%s = constant : f32[2] data {3,0}\n"
     "%y = batch_norm %x, %w, %b, %m, %s eps=1 : f32[1,2,2]\n",
     4, {0, 2, 10, 12}},
    {"layer_norm",
     "%x = constant : f32[2,2] data {1,3,10,10}\n"
     "%w = constant : f32[2] data {1,2}\n"
     "%b = constant : f32[2] data {0,5}\n"
     "%y = layer_norm %x, %w, %b axis=1 eps=3 : f32[2,2]\n",
     4, {-0.5, 6, 0, 5}},
    {"group_norm",
     "%x = constant : f32[1,4] data {1,3,4,4}\n"
     "%w = constant : f32[4] data {1,2,1,1}\n"
     "%b = constant : f32[4] data {0,0,0,7}\n"
     "%y = group_norm %x, %w, %b groups=2 eps=3 : f32[1,4]\n",
     4, {-0.5, 1, 0, 7}},
    {"relu", ROW3(-1, 0, 2) "%y = relu %x : f32[3]\n", 3, {0, 0, 2}},
    {"gelu erf", ROW3(0, 1, -1) "%y = gelu %x mode=erf : f32[3]\n", 3,
     {0, 0.84134474606854293, -0.15865525393145707}},
    {"gelu tanh", ROW3(0, 1, -1) "%y = gelu %x mode=tanh : f32[3]\n", 3,
     {0, 0.8411919906082768, -0.15880800939172324}},
    {"sigmoid", ROW3(0, 1, -1) "%y = sigmoid %x : f32[3]\n", 3,
     {0.5, 0.7310585786300049, 0.2689414213699951}},
    {"silu", ROW3(0, 1, -1) "%y = silu %x : f32[3]\n", 3,
     {0, 0.7310585786300049, -0.2689414213699951}},
    {"hard_swish", ROW3(0, 1, -4) "%y = hard_swish %x : f32[3]\n", 3,
     {0, 0.66666666666666667, 0}},
    {"tanh", ROW3(0, 1, -1) "%y = tanh %x : f32[3]\n", 3,
     {0, 0.7615941559557649, -0.7615941559557649}},
    {"erf", ROW3(0, 1, -1) "%y = erf %x : f32[3]\n", 3,
     {0, 0.8427007929497149, -0.8427007929497149}},
    {"exp", ROW3(0, 1, -1) "%y = exp %x : f32[3]\n", 3,
     {1, 2.718281828459045, 0.36787944117144233}},
    {"log", ROW3(1, 2, 0.5) "%y = log %x : f32[3]\n", 3,
     {0, 0.6931471805599453, -0.6931471805599453}},
    {"sqrt", ROW3(0, 4, 0.25) "%y = sqrt %x : f32[3]\n", 3, {0, 2, 0.5}},
    {"rsqrt", ROW3(1, 4, 0.25) "%y = rsqrt %x : f32[3]\n", 3, {1, 0.5, 2}},
    {"abs", ROW3(-1, 0, 2) "%y = abs %x : f32[3]\n", 3, {1, 0, 2}},
    {"neg", ROW3(-1, 0.5, 2) "%y = neg %x : f32[3]\n", 3, {1, -0.5, -2}},
    {"floor", ROW3(-1.5, 0.5, 2) "%y = floor %x : f32[3]\n", 3, {-2, 0, 2}},
    {"clamp", ROW3(-9, 0.5, 9) "%y = clamp %x min=-1 max=2 : f32[3]\n", 3, {-1, 0.5, 2}},
    {"not", "%x = constant : bool[2] data {0,1}\n%y = not %x : bool[2]\n", 2, {1, 0}},
    {"cast to i32 truncates", ROW3(-1.9, 1.9, 7) "%y = cast %x to=i32 : i32[3]\n", 3,
     {-1, 1, 7}},
    {"cast to u8 saturates", ROW3(-1.9, 255.9, 300) "%y = cast %x to=u8 : u8[3]\n", 3,
     {0, 255, 255}},
    {"cast of NaN is 0", ROW3(nan, 1, 2) "%y = cast %x to=i32 : i32[3]\n", 3, {0, 1, 2}},
    {"cast to bool", ROW3(-0.1, 0, 2) "%y = cast %x to=bool : bool[3]\n", 3, {1, 0, 1}},
    {"add broadcasts both",
     "%x = constant : f32[2,1] data {1,2}\n"
     "%w = constant : f32[3] data {10,20,30}\n"
     "%y = add %x, %w : f32[2,3]\n",
     6, {11, 21, 31, 12, 22, 32}},
    {"add of i32",
     "%x = constant : i32[2] data {1,-5}\n%w = constant : i32[2] data {2,3}\n"
     "%y = add %x, %w : i32[2]\n",
     2, {3, -2}},
    {"sub", ROW3_WITH(1, 2, 3, 3, 2, 1) "%y = sub %x, %w : f32[3]\n", 3, {-2, 0, 2}},
    {"mul", ROW3_WITH(1, 2, 3, 3, 2, -1) "%y = mul %x, %w : f32[3]\n", 3, {3, 4, -3}},
    /* 2^30 * 6 = 2^32 + 2^31 wraps to -2^31 */
    {"mul of i32 wraps",
     "%x = constant : i32[1] data {1073741824}\n%w = constant : i32[1] data {6}\n"
     "%y = mul %x, %w : i32[1]\n",
     1, {-2147483648.0}},
    {"div", ROW3_WITH(1, 2, 3, 4, 2, -1) "%y = div %x, %w : f32[3]\n", 3, {0.25, 1, -3}},
    {"pow", ROW3_WITH(4, -2, 3, 0.5, 3, 0) "%y = pow %x, %w : f32[3]\n", 3, {2, -8, 1}},
    {"maximum", ROW3_WITH(1, 2, 3, 3, 2, -1) "%y = maximum %x, %w : f32[3]\n", 3,
     {3, 2, 3}},
    {"minimum", ROW3_WITH(1, 2, 3, 3, 2, -1) "%y = minimum %x, %w : f32[3]\n", 3,
     {1, 2, -1}},
    {"and",
     "%x = constant : bool[2,1] data {0,1}\n%w = constant : bool[2] data {0,1}\n"
     "%y = and %x, %w : bool[2,2]\n",
     4, {0, 0, 0, 1}},
    {"or",
     "%x = constant : bool[2,1] data {0,1}\n%w = constant : bool[2] data {0,1}\n"
     "%y = or %x, %w : bool[2,2]\n",
     4, {0, 1, 1, 1}},
    {"eq", ROW3_WITH(1, 2, 3, 3, 2, 1) "%y = eq %x, %w : bool[3]\n", 3, {0, 1, 0}},
    {"ne", ROW3_WITH(1, 2, 3, 3, 2, 1) "%y = ne %x, %w : bool[3]\n", 3, {1, 0, 1}},
    {"lt", ROW3_WITH(1, 2, 3, 3, 2, 1) "%y = lt %x, %w : bool[3]\n", 3, {1, 0, 0}},
    {"le", ROW3_WITH(1, 2, 3, 3, 2, 1) "%y = le %x, %w : bool[3]\n", 3, {1, 1, 0}},
    {"gt", ROW3_WITH(1, 2, 3, 3, 2, 1) "%y = gt %x, %w : bool[3]\n", 3, {0, 0, 1}},
    {"ge", ROW3_WITH(1, 2, 3, 3, 2, 1) "%y = ge %x, %w : bool[3]\n", 3, {0, 1, 1}},
    {"select",
     "%c = constant : bool[2] data {1,0}\n"
     "%x = constant : f32[2,1] data {1,2}\n"
     "%w = constant : f32[1] data {9}\n"
     "%y = select %c, %x, %w : f32[2,2]\n",
     4, {1, 9, 2, 9}},
    {"one_hot", "%x = constant : i32[2] data {2,0}\n%y = one_hot %x depth=3 axis=0 "
                ": f32[3,2]\n",
     6, {0, 1, 0, 0, 1, 0}},
    {"one_hot outside",
     "%x = constant : i32[2] data {-1,2}\n%y = one_hot %x depth=2 axis=1 : f32[2,2]\n",
     4, {0, 0, 0, 0}},
    {"softmax", /* of ln 1, ln 3 beside equal ones */
     "%x = constant : f32[2,2] data {0,7,1.0986122886681098,7}\n"
     "%y = softmax %x axis=0 : f32[2,2]\n",
     4, {0.25, 0.5, 0.75, 0.5}},
    {"softmax of large ones", ROW3(1000, 1000, -1000) "%y = softmax %x axis=0 : f32[3]\n",
     3, {0.5, 0.5, 0}},
    {"reduce_sum", SQUARE3 "%y = reduce_sum %x axes=[2] : f32[1,1,3]\n", 3, {12, 15, 18}},
    {"reduce_mean", SQUARE3 "%y = reduce_mean %x axes=[2,3] keepdims=true : f32[1,1,1,1]\n",
     1, {5}},
    {"reduce_max", SQUARE3 "%y = reduce_max %x axes=[3] : f32[1,1,3]\n", 3, {3, 6, 9}},
    {"reduce_min", SQUARE3 "%y = reduce_min %x axes=[0,2] : f32[1,3]\n", 3, {1, 2, 3}},
    {"argmax is the first",
     "%x = constant : f32[2,3] data {1,5,5,-1,-2,-3}\n%y = argmax %x axis=1 : i32[2]\n",
     2, {1, 0}},
    {"concat",
     "%x = constant : f32[2,1] data {1,2}\n%w = constant : f32[2,2] data {3,4,5,6}\n"
     "%y = concat %x, %w axis=1 : f32[2,3]\n",
     6, {1, 3, 4, 2, 5, 6}},
    {"slice", SQUARE3 "%y = slice %x start=[0,0,1,0] shape=[1,1,2,2] step=[1,1,1,2] "
                      ": f32[1,1,2,2]\n",
     4, {4, 6, 7, 9}},
    {"pad", "%x = constant : f32[1,2] data {1,2}\n%y = pad %x pad=[1,0,0,2] mode=constant "
            "value=7 : f32[2,4]\n",
     8, {7, 7, 7, 7, 1, 2, 7, 7}},
    {"pad reflect", ROW3(1, 2, 3) "%y = pad %x pad=[2,1] mode=reflect : f32[6]\n", 6,
     {3, 2, 1, 2, 3, 2}},
    {"reshape", ROW4 "%y = reshape %x shape=[2,2] : f32[2,2]\n", 4, {1, 2, 3, 4}},
    {"transpose",
     "%x = constant : f32[1,2,3] data {1,2,3,4,5,6}\n"
     "%y = transpose %x perm=[2,0,1] : f32[3,1,2]\n",
     6, {1, 4, 2, 5, 3, 6}},
    {"broadcast",
     "%x = constant : f32[2,1] data {1,2}\n%y = broadcast %x shape=[2,2,2] : f32[2,2,2]\n",
     8, {1, 1, 2, 2, 1, 1, 2, 2}},
    {"unfold", SQUARE3 "%y = unfold %x kernel=[1,2] stride=[2,1] : f32[1,1,1,2,2,2]\n", 8,
     {1, 2, 7, 8, 2, 3, 8, 9}},
    {"unfold dilated", SQUARE3 "%y = unfold %x kernel=[2,1] dilation=[2,1] "
                               ": f32[1,1,2,1,1,3]\n",
     6, {1, 2, 3, 7, 8, 9}},
    {"resize nearest, asymmetric",
     ROW4 "%y = resize %x shape=[1,1,1,3] mode=nearest coords=asymmetric : f32[1,1,1,3]\n",
     3, {1, 2, 3}},
    {"resize nearest, half_pixel",
     ROW4 "%y = resize %x shape=[1,1,1,3] mode=nearest coords=half_pixel : f32[1,1,1,3]\n",
     3, {1, 3, 4}},
    {"resize nearest, align_corners: ties up",
     ROW4 "%y = resize %x shape=[1,1,1,3] mode=nearest coords=align_corners "
          ": f32[1,1,1,3]\n",
     3, {1, 3, 4}},
    /* 49 * (2 / 98) is below 1 in double; in whole numbers it is 1. */
    {"resize nearest where in / out rounds",
     "%x = constant : f32[1,1,1,2] data {1,2}\n"
     "%r = resize %x shape=[1,1,1,98] mode=nearest coords=asymmetric : f32[1,1,1,98]\n"
     "%y = slice %r start=[0,0,0,48] shape=[1,1,1,2] : f32[1,1,1,2]\n",
     2, {1, 2}},
    {"resize bilinear, half_pixel stays at the edges",
     "%x = constant : f32[1,1,1,2] data {0,4}\n"
     "%y = resize %x shape=[1,1,1,4] mode=bilinear coords=half_pixel : f32[1,1,1,4]\n",
     4, {0, 1, 3, 4}},
    {"resize bilinear, align_corners",
     "%x = constant : f32[1,1,2,2] data {0,4,8,12}\n"
     "%y = resize %x shape=[1,1,3,3] mode=bilinear coords=align_corners : f32[1,1,3,3]\n",
     9, {0, 2, 4, 4, 6, 8, 8, 10, 12}},
    {"resize bilinear, asymmetric",
     "%x = constant : f32[1,1,1,2] data {0,4}\n"
     "%y = resize %x shape=[1,1,1,4] mode=bilinear coords=asymmetric : f32[1,1,1,4]\n",
     4, {0, 2, 4, 4}},
};

enum { EXAMPLES = sizeof examples / sizeof *examples };

#endif
