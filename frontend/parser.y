/* Parser: tokens to the AST of one file. Errors are repaired at the next line
 * end or block, so that one run finds several; what is expected comes from
 * bison's own tables (LAC keeps the list exact). docs/language.md has the same
 * grammar for people. */
%define api.prefix {vt_}
%define api.pure full
%define api.token.prefix {VT_}
%define api.value.type union
%define api.location.type {Span}
%define parse.error custom
%define parse.lac full
%locations
%parse-param {Parser *parser} {TokenStream *tokens}
%lex-param {TokenStream *tokens}
%expect 0
%initial-action { @$ = (Span){parser->file->source, 0, 0}; }

%code requires {
#include "frontend/parse.h"
typedef VEC(Arm) ArmList;
typedef struct TokenStream TokenStream;
}

%code {
#include <string.h>

#define YYLLOC_DEFAULT(current, rhs, n)                                        \
    (current) = (n) ? (Span){YYRHSLOC(rhs, 1).source, YYRHSLOC(rhs, 1).begin,  \
                             YYRHSLOC(rhs, n).end}                             \
                    : (Span){YYRHSLOC(rhs, 0).source, YYRHSLOC(rhs, 0).end,    \
                             YYRHSLOC(rhs, 0).end}
#define YYMAXDEPTH 5000
#define YYSTACK_USE_ALLOCA 0

/* The lexer with one token of lookahead: a line end between '}' and `else` is
 * none. */
struct TokenStream {
    Parser *parser;
    void *scanner;
    bool peeked;
    int last; /* token given before */
    int kind;
    VT_STYPE value;
    Span span;
};

int vt_lex(VT_STYPE *value, Span *span, void *scanner);
static int stream_next(VT_STYPE *value, Span *span, TokenStream *tokens);
#undef yylex
#define yylex stream_next

static void vt_error(const Span *span, Parser *parser, TokenStream *tokens,
                     const char *text);
static Expr *expr_keep(Parser *parser, Expr *expr);
static Expr *expr_text(Parser *parser, ExprKind kind, const char *text, Span span);
static Block *block_keep(Parser *parser, Block *block, const TargetList *targets);
static void module_keep(Parser *parser, bool is_model, Name name,
                        const ParamList *params, Block *body, Span span);
static Datum datum_number(DatumKind kind, double number, Span span);
static Name word_name(Parser *parser, Span span);

#define ARENA (parser->arena)
#define UNARY(sign, a, span) expr_keep(parser, ast_unary(ARENA, sign, a, span))
#define BINARY(sign, a, b) expr_keep(parser, ast_binary(ARENA, sign, a, b))
}

%token END 0 "end of file"
%token NEWLINE "end of line"
%token <Name> IDENT "a name"
%token <int64_t> INT "an integer"
%token <double> REAL "a number"
%token <const char *> STRING "a string"
%token <const char *> DOCSTRING "a docstring"
%token BROKEN "a broken token" /* its error is reported */
%token IMPORT "'import'" MODULE "'module'" MODEL "'model'" FOR "'for'" IN "'in'"
%token IF "'if'" ELSE "'else'" STAGE "'stage'" RETURN "'return'"
%token PREPROCESS "'preprocess'" OUTPUT "'output'"
%token AND "'and'" OR "'or'" NOT "'not'" TRUE "'true'" FALSE "'false'" NONE "'none'"
%token DOTDOT "'..'" EQ "'=='" NE "'!='" LE "'<='" GE "'>='" POW "'**'"

%left OR
%left AND
%precedence NOT
%nonassoc EQ NE '<' '>' LE GE
%left '+' '-'
%left '*' '/' '%'
%precedence MINUS
%right POW

%type <Expr *> expr binary postfix
%type <ExprList> exprs exprs_some
%type <ArgList> args args_some
%type <Arg> arg
%type <Stmt *> stmt
%type <Block *> block lines
%type <ArmList> if_arms
%type <Label> label
%type <LabelPart> label_part
%type <TargetList> targets
%type <Name> name word any_word
%type <ParamList> params params_some
%type <Param> param
%type <TypeExpr *> type
%type <ItemList> items item_lines
%type <Item *> item
%type <Datum> datum
%type <bool> kind

%%
file: %empty | file top;

top: NEWLINE
   | IMPORT STRING NEWLINE {
        VEC_PUSH(ARENA, parser->file->imports,
                 (Import){$STRING, span_join(@IMPORT, @STRING), NULL});
     }
   | kind name '(' params ')' block {
        module_keep(parser, $kind, $name, &$params, $block, @name);
     }
   | kind error block { parser->file->damaged = true; yyerrok; }
   | error NEWLINE { parser->file->damaged = true; yyerrok; };

kind: MODULE { $$ = false; } | MODEL { $$ = true; };

params: %empty { $$ = (ParamList){0}; } | params_some | params_some ',';
params_some: param { $$ = (ParamList){0}; VEC_PUSH(ARENA, $$, $param); }
           | params_some[list] ',' param {
                $$ = $list;
                VEC_PUSH(ARENA, $$, $param);
             };
param: name { $$ = (Param){$name, NULL, NULL}; }
     | name '=' expr { $$ = (Param){$name, $expr, NULL}; }
     | name ':' type { $$ = (Param){$name, NULL, $type}; };
type: IDENT '[' exprs ']' {
        $$ = NEW(ARENA, TypeExpr, 1);
        *$$ = (TypeExpr){$IDENT, $exprs, @$};
      };

block: '{' lines '}' { $$ = $lines; $$->span = @$; }
     | '{' lines stmt '}' {
        $$ = $lines;
        $$->span = @$;
        VEC_PUSH(ARENA, $$->stmts, $stmt);
       }
     | '{' lines error '}' {
        $$ = $lines;
        $$->span = @$;
        parser->damaged = true;
        yyerrok;
       }
     | '{' lines targets '=' error '}' {
        $$ = block_keep(parser, $lines, &$targets);
        $$->span = @$;
        yyerrok;
       }
     | '{' lines label ':' targets '=' error '}' {
        $$ = block_keep(parser, $lines, &$targets);
        $$->span = @$;
        yyerrok;
       }
     | '{' lines RETURN error '}' {
        $$ = block_keep(parser, $lines, NULL);
        $$->span = @$;
        yyerrok;
       };
lines: %empty { $$ = NEW(ARENA, Block, 1); }
     | lines NEWLINE
     | lines[block] stmt NEWLINE {
        $$ = $block;
        VEC_PUSH(ARENA, $$->stmts, $stmt);
       }
     | lines[block] targets '=' error NEWLINE {
        $$ = block_keep(parser, $block, &$targets);
        yyerrok;
       }
     | lines[block] label ':' targets '=' error NEWLINE {
        $$ = block_keep(parser, $block, &$targets);
        yyerrok;
       }
     | lines[block] RETURN error NEWLINE {
        $$ = block_keep(parser, $block, NULL);
        yyerrok;
       }
     | lines FOR error NEWLINE { $$ = $1; parser->damaged = true; yyerrok; }
     | lines IF error NEWLINE { $$ = $1; parser->damaged = true; yyerrok; }
     | lines STAGE error NEWLINE { $$ = $1; parser->damaged = true; yyerrok; }
     | lines[block] error NEWLINE {
        $$ = $block;
        parser->damaged = true;
        yyerrok;
       };

stmt: targets '=' expr {
        $$ = ast_stmt(ARENA, STMT_assign, @$);
        $$->targets = $targets;
        $$->value = $expr;
      }
    | label ':' targets '=' expr {
        $$ = ast_stmt(ARENA, STMT_assign, @$);
        $$->label = $label;
        $$->label.span = @label;
        $$->targets = $targets;
        $$->value = $expr;
      }
    | FOR name IN expr block {
        $$ = ast_stmt(ARENA, STMT_for, span_join(@FOR, @expr));
        Target *target = NEW(ARENA, Target, 1);
        target->name = $name;
        VEC_PUSH(ARENA, $$->targets, target);
        $$->value = $expr;
        $$->body = $block;
      }
    | FOR name IN expr[first] DOTDOT expr[last] block {
        $$ = ast_stmt(ARENA, STMT_for, span_join(@FOR, @last));
        Target *target = NEW(ARENA, Target, 1);
        target->name = $name;
        VEC_PUSH(ARENA, $$->targets, target);
        $$->value = $first;
        $$->last = $last;
        $$->body = $block;
      }
    | if_arms {
        $$ = ast_stmt(ARENA, STMT_if, @$);
        for (int i = 0; i < $if_arms.n; i++)
            VEC_PUSH(ARENA, $$->arms, $if_arms.at[i]);
      }
    | if_arms ELSE block {
        $$ = ast_stmt(ARENA, STMT_if, @$);
        for (int i = 0; i < $if_arms.n; i++)
            VEC_PUSH(ARENA, $$->arms, $if_arms.at[i]);
        VEC_PUSH(ARENA, $$->arms, (Arm){NULL, $block});
      }
    | STAGE label block {
        $$ = ast_stmt(ARENA, STMT_stage, span_join(@STAGE, @label));
        $$->label = $label;
        $$->label.span = @label;
        $$->body = $block;
      }
    | RETURN exprs_some {
        $$ = ast_stmt(ARENA, STMT_return, @$);
        $$->results = $exprs_some;
      }
    | PREPROCESS name '{' items '}' {
        $$ = ast_stmt(ARENA, STMT_preprocess, span_join(@PREPROCESS, @name));
        $$->name = $name;
        $$->items = $items;
      }
    | OUTPUT name {
        $$ = ast_stmt(ARENA, STMT_output, @$);
        $$->name = $name;
      }
    | OUTPUT name '{' items '}' {
        $$ = ast_stmt(ARENA, STMT_output, span_join(@OUTPUT, @name));
        $$->name = $name;
        $$->items = $items;
      }
    | OUTPUT name '=' expr {
        $$ = ast_stmt(ARENA, STMT_output, @$);
        $$->name = $name;
        $$->value = $expr;
      }
    | OUTPUT name '=' expr '{' items '}' {
        $$ = ast_stmt(ARENA, STMT_output, span_join(@OUTPUT, @expr));
        $$->name = $name;
        $$->value = $expr;
        $$->items = $items;
      }
    | DOCSTRING {
        $$ = ast_stmt(ARENA, STMT_doc, @$);
        $$->value = expr_text(parser, EXPR_string, $DOCSTRING, @$);
      }
    /* Broken heads: what the block holds is still read. */
    | ELSE block[body] {
        parse_error(parser, @ELSE, "'else' without an 'if' before it");
        $$ = ast_stmt(ARENA, STMT_if, @$);
        VEC_PUSH(ARENA, $$->arms, (Arm){ast_new(ARENA, EXPR_error, @$), $body});
      }
    | FOR error block[body] {
        $$ = ast_stmt(ARENA, STMT_if, @$);
        VEC_PUSH(ARENA, $$->arms, (Arm){ast_new(ARENA, EXPR_error, @$), $body});
        yyerrok;
      }
    | STAGE error block[body] {
        $$ = ast_stmt(ARENA, STMT_if, @$);
        VEC_PUSH(ARENA, $$->arms, (Arm){ast_new(ARENA, EXPR_error, @$), $body});
        yyerrok;
      };

if_arms: IF expr block {
            $$ = (ArmList){0};
            VEC_PUSH(ARENA, $$, (Arm){$expr, $block});
         }
       | IF error block {
            $$ = (ArmList){0};
            VEC_PUSH(ARENA, $$, (Arm){ast_new(ARENA, EXPR_error, @$), $block});
            yyerrok;
         }
       | if_arms[list] ELSE IF expr block {
            $$ = $list;
            VEC_PUSH(ARENA, $$, (Arm){$expr, $block});
         };

items: item_lines
     | item_lines[list] item { $$ = $list; VEC_PUSH(ARENA, $$, $item); }
     | item_lines[list] error { $$ = $list; yyerrok; };
item_lines: %empty { $$ = (ItemList){0}; }
          | item_lines NEWLINE
          | item_lines[list] item NEWLINE {
                $$ = $list;
                VEC_PUSH(ARENA, $$, $item);
            }
          | item_lines[list] error NEWLINE { $$ = $list; yyerrok; };
item: IDENT {
        $$ = NEW(ARENA, Item, 1);
        $$->word = $IDENT;
        $$->span = @$;
      }
    | item[head] datum {
        $$ = $head;
        $$->span = @$;
        VEC_PUSH(ARENA, $$->data, $datum);
      };
datum: INT { $$ = datum_number(DATUM_int, (double)$INT, @$); }
     | REAL { $$ = datum_number(DATUM_real, $REAL, @$); }
     | '-' INT { $$ = datum_number(DATUM_int, -(double)$INT, @$); }
     | '-' REAL { $$ = datum_number(DATUM_real, -$REAL, @$); }
     | IDENT { $$ = (Datum){DATUM_word, 0, $IDENT.text, @$}; }
     | STRING { $$ = (Datum){DATUM_string, 0, $STRING, @$}; };

targets: name {
            Target *target = NEW(ARENA, Target, 1);
            target->name = $name;
            $$ = (TargetList){0};
            VEC_PUSH(ARENA, $$, target);
         }
       | targets[list] ',' name {
            Target *target = NEW(ARENA, Target, 1);
            target->name = $name;
            $$ = $list;
            VEC_PUSH(ARENA, $$, target);
         };
name: IDENT;

label: label_part {
            $$ = (Label){0};
            VEC_PUSH(ARENA, $$.parts, $label_part);
       }
     | label[list] '.' any_word {
            $$ = $list;
            VEC_PUSH(ARENA, $$.parts, (LabelPart){$any_word.text, NULL, @any_word});
       }
     | label[list] '.' '{' expr '}' {
            $$ = $list;
            VEC_PUSH(ARENA, $$.parts, (LabelPart){NULL, $expr, @expr});
       };
label_part: word { $$ = (LabelPart){$word.text, NULL, @$}; }
          | '{' expr '}' { $$ = (LabelPart){NULL, $expr, @expr}; };
/* Words that may begin a label; the others would begin a statement. */
word: IDENT
    | INT { $$ = word_name(parser, @$); }
    | REAL { $$ = word_name(parser, @$); }
    | STAGE { $$ = word_name(parser, @$); }
    | OUTPUT { $$ = word_name(parser, @$); }
    | PREPROCESS { $$ = word_name(parser, @$); }
    | MODEL { $$ = word_name(parser, @$); }
    | MODULE { $$ = word_name(parser, @$); };
any_word: word
    | IMPORT { $$ = word_name(parser, @$); }
    | FOR { $$ = word_name(parser, @$); }
    | IN { $$ = word_name(parser, @$); }
    | IF { $$ = word_name(parser, @$); }
    | ELSE { $$ = word_name(parser, @$); }
    | RETURN { $$ = word_name(parser, @$); }
    | AND { $$ = word_name(parser, @$); }
    | OR { $$ = word_name(parser, @$); }
    | NOT { $$ = word_name(parser, @$); }
    | NONE { $$ = word_name(parser, @$); };

exprs: %empty { $$ = (ExprList){0}; } | exprs_some | exprs_some ',';
exprs_some: expr { $$ = (ExprList){0}; VEC_PUSH(ARENA, $$, $expr); }
          | exprs_some[list] ',' expr { $$ = $list; VEC_PUSH(ARENA, $$, $expr); };

expr: binary
    | binary[yes] IF binary[condition] ELSE expr[no] {
        $$ = expr_keep(parser, ast_choice(ARENA, $yes, $condition, $no));
      };

binary: postfix
    | '-' binary[a] %prec MINUS { $$ = UNARY(SIGN_neg, $a, @$); }
    | NOT binary[a] { $$ = UNARY(SIGN_not, $a, @$); }
    | binary[a] OR binary[b] { $$ = BINARY(SIGN_or, $a, $b); }
    | binary[a] AND binary[b] { $$ = BINARY(SIGN_and, $a, $b); }
    | binary[a] EQ binary[b] { $$ = BINARY(SIGN_eq, $a, $b); }
    | binary[a] NE binary[b] { $$ = BINARY(SIGN_ne, $a, $b); }
    | binary[a] '<' binary[b] { $$ = BINARY(SIGN_lt, $a, $b); }
    | binary[a] LE binary[b] { $$ = BINARY(SIGN_le, $a, $b); }
    | binary[a] '>' binary[b] { $$ = BINARY(SIGN_gt, $a, $b); }
    | binary[a] GE binary[b] { $$ = BINARY(SIGN_ge, $a, $b); }
    | binary[a] '+' binary[b] { $$ = BINARY(SIGN_add, $a, $b); }
    | binary[a] '-' binary[b] { $$ = BINARY(SIGN_sub, $a, $b); }
    | binary[a] '*' binary[b] { $$ = BINARY(SIGN_mul, $a, $b); }
    | binary[a] '/' binary[b] { $$ = BINARY(SIGN_div, $a, $b); }
    | binary[a] '%' binary[b] { $$ = BINARY(SIGN_mod, $a, $b); }
    | binary[a] POW binary[b] { $$ = BINARY(SIGN_pow, $a, $b); };

postfix: INT { $$ = ast_new(ARENA, EXPR_int, @$); $$->integer = $INT; }
    | REAL { $$ = ast_new(ARENA, EXPR_real, @$); $$->real = $REAL; }
    | STRING { $$ = expr_text(parser, EXPR_string, $STRING, @$); }
    | TRUE { $$ = ast_new(ARENA, EXPR_bool, @$); $$->truth = true; }
    | FALSE { $$ = ast_new(ARENA, EXPR_bool, @$); }
    | NONE { $$ = ast_new(ARENA, EXPR_none, @$); }
    | BROKEN { $$ = ast_new(ARENA, EXPR_error, @$); }
    | IDENT { $$ = expr_text(parser, EXPR_name, $IDENT.text, @$); }
    | IDENT '(' args ')' {
        $$ = expr_keep(parser, ast_call(ARENA, $IDENT, $args, @$));
      }
    | '(' expr ')' { $$ = $2; }
    | '[' exprs ']' { $$ = expr_keep(parser, ast_list(ARENA, $exprs, @$)); }
    | postfix[a] '.' IDENT {
        $$ = expr_keep(parser, ast_property(ARENA, $a, $IDENT));
      }
    | postfix[a] '[' expr ']' {
        $$ = expr_keep(parser, ast_index(ARENA, $a, $expr, @$));
      };

args: %empty { $$ = (ArgList){0}; } | args_some | args_some ',';
args_some: arg { $$ = (ArgList){0}; VEC_PUSH(ARENA, $$, $arg); }
         | args_some[list] ',' arg { $$ = $list; VEC_PUSH(ARENA, $$, $arg); };
arg: expr { $$ = (Arg){{NULL, @$}, $expr, @$}; }
   | IDENT '=' expr { $$ = (Arg){$IDENT, $expr, @$}; };
%%

static int stream_next(VT_STYPE *value, Span *span, TokenStream *tokens)
{
    if (tokens->peeked) {
        tokens->peeked = false;
        *value = tokens->value;
        *span = tokens->span;
        return tokens->last = tokens->kind;
    }
    int kind = vt_lex(value, span, tokens->scanner);
    if (kind != VT_NEWLINE || tokens->last != '}')
        return tokens->last = kind;
    tokens->kind = vt_lex(&tokens->value, &tokens->span, tokens->scanner);
    tokens->peeked = true;
    return tokens->last =
               tokens->kind == VT_ELSE ? stream_next(value, span, tokens) : kind;
}

/* What is too deep stays so, as an error: what is around it is not told again. */
static Expr *expr_keep(Parser *parser, Expr *expr)
{
    if (expr->depth <= LIMIT_NESTING)
        return expr;
    if (expr->depth == LIMIT_NESTING + 1)
        parse_error(parser, expr->span, "this expression is more than %d operators deep",
                    LIMIT_NESTING);
    Expr *error = ast_new(parser->arena, EXPR_error, expr->span);
    error->depth = expr->depth;
    return error;
}

static Expr *expr_text(Parser *parser, ExprKind kind, const char *text, Span span)
{
    Expr *expr = ast_new(parser->arena, kind, span);
    expr->text = text;
    return expr;
}

static Datum datum_number(DatumKind kind, double number, Span span)
{
    return (Datum){kind, number, NULL, span};
}

static Name word_name(Parser *parser, Span span)
{
    const char *text = span.source->text + span.begin;
    return (Name){arena_strndup(parser->arena, text, span.end - span.begin), span};
}

/* A statement broken by a syntax error still says which names it gives values
 * to, so that they are not unknown later; no targets: a return. */
static Block *block_keep(Parser *parser, Block *block, const TargetList *targets)
{
    Stmt *stmt = ast_stmt(parser->arena, targets ? STMT_assign : STMT_return,
                          (Span){parser->file->source, 0, 0});
    Expr *lost = ast_new(parser->arena, EXPR_error, stmt->span);
    if (targets) {
        stmt->targets = *targets;
        stmt->value = lost;
    } else {
        VEC_PUSH(parser->arena, stmt->results, lost);
    }
    VEC_PUSH(parser->arena, block->stmts, stmt);
    return block;
}

/* A docstring elsewhere than first is refused by check.c. */
static void module_keep(Parser *parser, bool is_model, Name name,
                        const ParamList *params, Block *body, Span span)
{
    Module *module = NEW(parser->arena, Module, 1);
    *module = (Module){is_model, name, *params, NULL, body, span, parser->file,
                       parser->damaged, NULL};
    parser->damaged = false;
    if (body->stmts.n && body->stmts.at[0]->kind == STMT_doc)
        module->doc = body->stmts.at[0]->value->text;
    VEC_PUSH(parser->arena, parser->file->modules, module);
}

/* ---- syntax errors ----------------------------------------------------- */

static void vt_error(const Span *span, Parser *parser, TokenStream *tokens,
                     const char *text)
{
    (void)tokens;
    (void)text; /* only "memory exhausted": bison's own stack limit */
    parser_give_up(parser, *span, "this is nested too deeply");
}

/* Long lists of tokens say less than the noun of the grammar: when the first
 * token of a group is expected, the group's noun stands for all of them. */
typedef struct TokenGroup {
    yysymbol_kind_t sign; /* present when the group is */
    const char *noun;     /* NULL: always possible, not worth saying */
    yysymbol_kind_t members[16];
} TokenGroup;
#define KIND(name) YYSYMBOL_##name

static const TokenGroup groups[] = {
    {KIND(RETURN), "a statement",
     {KIND(NEWLINE), KIND(IDENT), KIND(INT), KIND(REAL), KIND(DOCSTRING),
      KIND(MODULE), KIND(MODEL), KIND(FOR), KIND(IF), KIND(STAGE), KIND(RETURN),
      KIND(PREPROCESS), KIND(OUTPUT), KIND(ELSE)}},
    {KIND(TRUE), "an expression",
     {KIND(IDENT), KIND(INT), KIND(REAL), KIND(STRING), KIND(NOT), KIND(TRUE),
      KIND(FALSE), KIND(NONE), KIND(BROKEN)}},
    {KIND(POW), NULL,
     {KIND(AND), KIND(OR), KIND(EQ), KIND(NE), KIND(LE), KIND(GE), KIND(POW),
      KIND(IF)}},
    {KIND(IMPORT), NULL, {KIND(NEWLINE)}},
};
enum { GROUPS = sizeof groups / sizeof *groups };

static bool kind_listed(const yysymbol_kind_t *kinds, int n, yysymbol_kind_t kind)
{
    for (int i = 0; i < n; i++)
        if (kinds[i] == kind && kind != YYSYMBOL_YYEOF)
            return true;
    return false;
}

static const char *kind_text(Arena *arena, yysymbol_kind_t kind)
{
    const char *name = yysymbol_name(kind);
    return name[0] == '"' ? arena_strndup(arena, name + 1, strlen(name) - 2) : name;
}

/* Does a group that is expected speak for this token? One-character tokens have
 * no name of their own in C: within a group only closers and separators count. */
static bool kind_spoken_for(yysymbol_kind_t kind, const bool *has)
{
    const char *text = yysymbol_name(kind);
    bool mark = text[0] == '\'' && text[2] == '\'';
    for (int g = 0; g < GROUPS; g++) {
        static const char *const marks[GROUPS] = {"{", "([-", "+-*/%<>.[(=", ""};
        if (has[g] && (kind_listed(groups[g].members, 16, kind) ||
                       (mark && strchr(marks[g], text[1]))))
            return true;
    }
    return false;
}

static void expected_print(Arena *arena, const yysymbol_kind_t *kinds, int n,
                           Text *out)
{
    enum { MOST = 5 };
    const char *words[MOST + 1];
    int count = 0;
    bool has[GROUPS];
    for (int g = 0; g < GROUPS; g++) {
        has[g] = kind_listed(kinds, n, groups[g].sign);
        if (has[g] && groups[g].noun)
            words[count++] = groups[g].noun;
    }
    for (int i = 0; i < n && count <= MOST; i++)
        if (!kind_spoken_for(kinds[i], has) && kinds[i] != YYSYMBOL_YYEOF)
            words[count++] = kind_text(arena, kinds[i]);
    for (int i = 0; i < count && count <= MOST; i++)
        text_printf(out, "%s%s", i == 0 ? ", expected " : i == count - 1 ? " or " : ", ",
                    words[i]);
}

/* "name 'kernel'", "end of line": the token and, where it varies, its text. */
static const char *token_text(Arena *arena, yysymbol_kind_t kind, Span span)
{
    const char *noun = kind_text(arena, kind);
    size_t length = span.end - span.begin;
    if (strncmp(noun, "a", 1) != 0)
        return noun;
    noun = strchr(noun, ' ') + 1;
    if (kind != YYSYMBOL_IDENT && kind != YYSYMBOL_INT && kind != YYSYMBOL_REAL)
        return noun;
    return arena_printf(arena, "%s '%.*s%s'", noun, length > 30 ? 30 : (int)length,
                        span.source->text + span.begin, length > 30 ? "..." : "");
}

static char source_char(Span span)
{
    return span.begin < span.source->length ? span.source->text[span.begin] : '\0';
}

static yysymbol_kind_t char_kind(int c)
{
    return YYTRANSLATE(c);
}

static int yyreport_syntax_error(const yypcontext_t *context, Parser *parser,
                                 TokenStream *tokens)
{
    (void)tokens;
    const Span *where = yypcontext_location(context);
    if (parser->gave_up || where->begin < parser->mute_until)
        return 0;
    yysymbol_kind_t kinds[YYNTOKENS];
    int n = yypcontext_expected_tokens(context, kinds, YYNTOKENS);
    Text expected = text_new(parser->arena);
    expected_print(parser->arena, kinds, n, &expected);
    Message *message = parse_error(
        parser, *where, "unexpected %s%s",
        token_text(parser->arena, yypcontext_token(context), *where),
        text_str(&expected));
    if (source_char(*where) == '(' && kind_listed(kinds, n, char_kind(':')))
        diag_note(parser->diag, message, *where,
                  "a result is given a name, like y = relu(x)");
    const Bracket *open = parser->depth ? &parser->brackets[parser->depth - 1] : NULL;
    if (open && (open->open != '{' || yypcontext_token(context) == YYSYMBOL_YYEOF))
        diag_note(parser->diag, message, open->span, "'%c' is opened here", open->open);
    parser_drop_parens(parser);
    return 0;
}

/* ---- the entry --------------------------------------------------------- */

int vt_lex_init_extra(Parser *parser, void **scanner);
int vt_lex_destroy(void *scanner);
struct yy_buffer_state *vt__scan_bytes(const char *bytes, int n, void *scanner);

void file_parse(Parser *parser)
{
    const Source *source = parser->file->source;
    TokenStream tokens = {.parser = parser};
    parser->line_ended = true;
    if (vt_lex_init_extra(parser, &tokens.scanner) != 0)
        bug("the lexer cannot be made");
    vt__scan_bytes(source->text, (int)source->length, tokens.scanner);
    if (vt_parse(parser, &tokens) != 0)
        parser->file->damaged = true;
    vt_lex_destroy(tokens.scanner);
}
