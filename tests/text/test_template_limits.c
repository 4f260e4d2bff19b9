/* test_template_limits.c: a template cannot run away: steps, output, memory, nesting; and what is
 * refused says what it is, and where. */
#include "testing.h"

#include "template_tools.h"

#include <locale.h>
#include <stdlib.h>
#include <time.h>

static void expect(const char *source, const char *variables, const char *text)
{
    assert_string_equal(render_text(source, variables), text);
}

static void expect_fault(const char *source, enum fault_kind kind, const char *text)
{
    struct rendered got;
    render(source, strlen(source), "{\"a\": [1, 2, 3], \"s\": \"0123456789\", \"n\": null}", &got);
    if (got.fault.kind != kind || !strstr(got.text, text))
        fail_msg("%s\n  expected %d %s\n  got %d %s", source, kind, text, got.fault.kind, got.text);
    free(got.text);
}

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* Haystack's bomb: nested ranges. Every budget is met in well under the seconds it took there. */
static void test_steps(void **state)
{
    static const char *const bombs[] = {
        "{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}",
        "{% for i in range(99999) %}{% for j in range(99999) %}{{ i }}{% endfor %}{% endfor %}",
        "{% for i in range(9999) %}{{ range(9999)|sum }}{% endfor %}",
        "{% set x = 'x' * 4096 %}{% set y = 'x' * 4096 %}{% for i in range(99999) %}"
        "{% if x == y and x in y and x.strip('y') %}{% endif %}{% endfor %}",
        "{% for i in range(9999) if false %}{% endfor %}{% for i in range(99999) %}"
        "{{ range(99999)|list|sort|length }}{% endfor %}",
        "{% set x = range(3000)|list %}{% for i in x %}{% if x == x and -1 in x %}{% endif %}{% "
        "endfor %}",
        "{% set x = range(90000)|map('string')|list %}{{ x|unique|list|length }}",
        "{% macro m(n) %}{% for i in range(9) %}{{ m(n) }}{% endfor %}{% endmacro %}{{ m(1) }}",
    };
    (void)state;
    for (size_t i = 0; i < sizeof bombs / sizeof *bombs; i++) {
        double start = seconds();
        expect_fault(bombs[i], FAULT_FORMAT,
                     i == 7 ? "macros in one another" : "more than 1000000 steps");
        assert_true(seconds() - start < 10);
    }
}

static void test_output(void **state)
{
    char *source = malloc(1 << 20);
    (void)state;
    assert_non_null(source);
    memset(source, 'x', 1 << 20);
    struct rendered got;
    render(source, 1 << 20, "{}", &got); /* the largest template */
    assert_string_equal(got.kind, "text");
    assert_int_equal(got.size, 1 << 20);
    free(got.text);
    free(source);
    expect_fault("{% for i in range(5) %}{{ 'x' * 1048576 }}{% endfor %}", FAULT_FORMAT,
                 "more than 4 MiB of output");
    expect_fault("{% set y %}{{ 'x' * 5000000 }}{% endset %}", FAULT_FORMAT,
                 "more than 4 MiB of output");
    assert_int_equal(
        strlen(render_text("{% for i in range(4) %}{{ 'x' * 1048576 }}{% endfor %}", "{}")),
        4 << 20);
}

static void test_memory(void **state)
{
    (void)state;
    expect_fault("{{ ('x' * 70000000)|length }}", FAULT_MEMORY, "more than 64 MiB");
    expect_fault("{{ ('x' * 9223372036854775807)|length }}", FAULT_MEMORY, "more than 64 MiB");
    expect_fault("{{ (a * 9223372036854775807)|length }}", FAULT_MEMORY, "more than 64 MiB");
    expect_fault("{{ ([[]] * 10000000)|length }}", FAULT_MEMORY, "more than 64 MiB");
    expect_fault("{{ s.replace('', s * 1000000)|length }}", FAULT_MEMORY, "more than 64 MiB");
    expect_fault("{{ (' ' * 100)|indent(90000000) }}", FAULT_MEMORY, "more than 64 MiB");
    expect_fault("{{ '%99999999s' % 'a' }}", FAULT_MEMORY, "more than 64 MiB");
    expect_fault("{{ a|tojson(indent=90000000) }}", FAULT_MEMORY, "more than 64 MiB");
}

/* A prompt that is put together piece by piece must not cost the square of its length. */
static void test_growing_text(void **state)
{
    (void)state;
    const char *text = render_text("{% set ns = namespace(t='') %}{% for i in range(40000) %}"
                                   "{% set ns.t = ns.t + '0123456789abcdef0123456789abcdef' %}"
                                   "{% endfor %}{{ ns.t|length }}",
                                   "{}");
    assert_string_equal(text, "1280000");
    expect("{% set a = 'x' + 'y' %}{% set b = a + '1' %}{% set c = a + '2' %}{% set d = b + '3' %}"
           "{% set e = b + '4' %}{{ a }} {{ b }} {{ c }} {{ d }} {{ e }}",
           "{}", "xy xy1 xy2 xy13 xy14");
}

/* `before` 100 times, the middle, `after` 100 times. */
static char *nested(const char *before, const char *middle, const char *after, int times)
{
    size_t size = (strlen(before) + strlen(after)) * (size_t)times + strlen(middle) + 1;
    char *text = malloc(size);
    assert_non_null(text);
    *text = 0;
    for (int i = 0; i < times; i++)
        strcat(text, before);
    strcat(text, middle);
    for (int i = 0; i < times; i++)
        strcat(text, after);
    return text;
}

static void test_source_nesting(void **state)
{
    static const char *const pairs[][3] = {
        {"{% if 1 %}", "x", "{% endif %}"},
        {"{% for i in [1] %}", "x", "{% endfor %}"},
        {"{% set x %}", "x", "{% endset %}"},
        {"{% filter upper %}", "x", "{% endfilter %}"},
        {"{% with %}", "x", "{% endwith %}"},
        {"{% generation %}", "x", "{% endgeneration %}"},
        {"{% macro m() %}", "x", "{% endmacro %}"},
    };
    static const char *const brackets[][3] = {
        {"(", "1", ")"},   {"[", "1", "]"},           {"{1:", "1", "}"},
        {"x[", "1", "]"},  {"x(", "1", ")"},          {"-", "1", ""},
        {"not ", "1", ""}, {"1 if 1 else ", "1", ""}, {"a|map(", "1", ")"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        char *source = nested(pairs[i][0], pairs[i][1], pairs[i][2], 200);
        expect_fault(source, FAULT_FORMAT, "in one another");
        free(source);
    }
    for (size_t i = 0; i < sizeof brackets / sizeof *brackets; i++) {
        char *inside = nested(brackets[i][0], brackets[i][1], brackets[i][2], 3000);
        char *source = nested("{{ ", inside, " }}", 1);
        expect_fault(source, FAULT_FORMAT, "in one another");
        free(source);
        free(inside);
    }
}

/* What is long but not deep is no problem. */
static void test_long_rows(void **state)
{
    static const char *const rows[][2] = {{" + 1", "3001"},     {" ~ 1", NULL}, {" and 1", "1"},
                                          {" or 1", "1"},       {"|abs", "1"},  {" == 1", "True"},
                                          {" is defined", NULL}};
    (void)state;
    for (size_t i = 0; i < 6; i++) {
        char *row = nested(rows[i][0], "", "", 3000);
        char *source = malloc(strlen(row) + 20);
        assert_non_null(source);
        sprintf(source, "{{ 1%s }}", row);
        if (rows[i][1])
            expect(source, "{}", rows[i][1]);
        else
            assert_int_equal(strlen(render_text(source, "{}")), 3001);
        free(row);
        free(source);
    }
    char *elifs = nested("{% elif 0 %}", "", "", 3000);
    char *source = nested("{% if 0 %}", elifs, "{% else %}x{% endif %}", 1);
    expect(source, "{}", "x");
    free(elifs);
    free(source);
}

static void test_run_nesting(void **state)
{
    char *arrays = nested("[", "", "]", 70), *fine = nested("[", "", "]", 60);
    char *deep = nested("{\"x\": ", arrays, "}", 1), *shallow = nested("{\"x\": ", fine, "}", 1);
    (void)state;
    expect_fault("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", FAULT_FORMAT,
                 "more than 64 macros in one another");
    expect("{% macro m(n) %}{% if n %}{{ m(n - 1) }}{% endif %}.{% endmacro %}{{ m(60)|length }}",
           "{}", "61");
    assert_non_null(strstr(render_text("{{ x }}", deep), "more than 64 arrays"));
    expect("{{ x|tojson == x|string }}", shallow, "True");
    expect_fault("{% set ns = namespace(x=[]) %}{% for i in range(2000) %}{% set ns.x = [ns.x] %}"
                 "{% endfor %}{{ ns.x }}",
                 FAULT_FORMAT, "in one another");
    expect_fault("{% set ns = namespace(x=[]) %}{% for i in range(2000) %}{% set ns.x = [ns.x] %}"
                 "{% endfor %}{{ ns.x|tojson }}",
                 FAULT_FORMAT, "in one another");
    expect_fault("{% set ns = namespace(x=[], y=[]) %}{% for i in range(2000) %}"
                 "{% set ns.x = [ns.x] %}{% set ns.y = [ns.y] %}{% endfor %}{{ ns.x == ns.y }}",
                 FAULT_FORMAT, "in one another");
    free(arrays);
    free(fine);
    free(deep);
    free(shallow);
}

static void test_refused(void **state)
{
    static const struct {
        const char *source, *text;
    } cases[] = {
        {"a\n {% block x %}{% endblock %}", "line 2, column 5: tag 'block' is not supported"},
        {"{% extends 'x' %}", "line 1, column 4: tag 'extends'"},
        {"{% include 'x' %}", "tag 'include'"},
        {"{% import 'x' as y %}", "tag 'import'"},
        {"{% from 'x' import y %}", "tag 'from'"},
        {"{% autoescape true %}{% endautoescape %}", "tag 'autoescape'"},
        {"{% for i in a recursive %}{% endfor %}", "column 15: a recursive for"},
        {"{% if 1 %}{% break %}{% endif %}", "break outside of a loop"},
        {"{% for i in a %}{% set x %}{% continue %}{% endset %}{% endfor %}", "continue outside"},
        {"äöü {{ a|groupby('x') }}", "line 1, column 10: filter 'groupby'"},
        {"{{ a|random }}", "filter 'random'"},
        {"{{ s.encode('utf-8') }}", "column 5: method 'encode'"},
        {"{{ s.translate({}) }}", "method 'translate'"},
        {"{{ cycler(1) }}", "'cycler' is not supported"},
        {"{{ a[1, 2] }}", "an index of several parts"},
        {"{{ s.find('1', 2) }}", "a start in find"},
        {"{{ range }}", "printing a function"},
        {"{{ '%c' % 65 }}", "format %c"},
        {"{{ '{:>5}'.format(1) }}", "format field '{:>5}'"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        expect_fault(cases[i].source, FAULT_UNSUPPORTED, cases[i].text);
}

static void test_faults(void **state)
{
    static const struct {
        const char *source, *text;
    } cases[] = {
        {"{{ x.y }}", "line 1, column 5: 'x' is undefined"},
        {"{{ x.y.z }}", "'x' is undefined"},
        {"{% set d = {} %}{{ d.y.z }}", "'dict object' has no attribute 'y'"},
        {"{{ a[9].z }}", "list object has no element 9"},
        {"{{ n.x.y }}", "'None' has no attribute 'x'"},
        {"{{ d.append(1) }}", "'d' is undefined"},
        {"{{ a.append(1) }}", "access to attribute 'append' of 'list' object is unsafe."},
        {"{{ s.__class__.x }}", "access to attribute '__class__' of 'str' object is unsafe."},
        {"\n\n{{ 1 +\n nothing }}", "line 3, column 6: 'nothing' is undefined"},
        {"{{ a|nofilter }}", "No filter named 'nofilter'."},
        {"{{ a is notest }}", "No test named 'notest'."},
        {"{% nope %}", "Encountered unknown tag 'nope'."},
        {"{% if 1 %}", "Unexpected end of template"},
        {"{{ 'abc", "string without an end"},
        {"{# abc", "comment {# without #}"},
        {"{% raw %} abc", "{% raw %} without {% endraw %}"},
        {"{{ '\\ud800' }}", "escape that names no character"},
        {"{{ 99999999999999999999 }}", "integer beyond 64 bits"},
        {"{{ 9223372036854775807 + 1 }}", "integer beyond 64 bits"},
        {"{{ -9223372036854775807 * 3 }}", "integer beyond 64 bits"},
        {"{{ 3 ** 99 }}", "integer beyond 64 bits"},
        {"{% set x = namespace() %}{% set x.a.b = 1 %}", "expected"},
        {"{% macro m(a) %}{% endmacro %}{{ m(b=1) }}", "macro 'm' takes no keyword argument 'b'"},
        {"{{ strftime_now('%Y' * 9999) }}", "the date is too long"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        expect_fault(cases[i].source, FAULT_FORMAT, cases[i].text);
    expect_fault("{{ raise_exception('no \xC3\xA4 ' ~ 5) }}", FAULT_ARGUMENT, "no \xC3\xA4 5");
}

static void test_bad_variables(void **state)
{
    (void)state;
    assert_non_null(strstr(render_text("", "[]"), "not a JSON object"));
    assert_non_null(strstr(render_text("", "{\"a\": }"), "line 1, column"));
    assert_non_null(strstr(render_text("", "{\"a\": 123456789012345678901}"), "too big integer"));
    assert_non_null(strstr(render_text("", "{\"a\": \"\\ud800\"}"), "line 1"));
    expect("{{ a|length }}{{ a|tojson }}", "{\"a\": \"x\\u0000y\"}", "3\"x\\u0000y\"");
    expect("{{ a }}", "{\"a\": 1, \"a\": 2}", "2");
}

static void test_bad_source(void **state)
{
    struct template *template;
    struct fault fault = {0};
    char *large = calloc((1 << 20) + 1, 1);
    (void)state;
    assert_non_null(large);
    assert_false(template_create("\xFF", 1, &template, &fault));
    assert_null(template);
    assert_int_equal(fault.kind, FAULT_FORMAT);
    assert_false(template_create(large, (1 << 20) + 1, &template, NULL));
    assert_true(template_create(NULL, 0, &template, NULL));
    template_destroy(template);
    template_destroy(NULL);
    free(large);
    expect("a\r\nb\rc\n\n", "{}", "a\nb\nc\n");
}

/* A locale with a decimal comma must not reach templates. */
static void test_locale(void **state)
{
    (void)state;
    const char *set = setlocale(LC_ALL, "de_DE.UTF-8");
    expect("{{ 1.5 }} {{ 0.1 + 0.2 }} {{ '2.5'|float * 2 }} {{ '%.2f' % x }} {{ 2.675|round(2) }} "
           "{{ x|tojson }}",
           "{\"x\": 3.25}", "1.5 0.30000000000000004 5.0 3.25 2.67 3.25");
    setlocale(LC_ALL, "C");
    if (!set)
        print_message("no German locale here: tried with C only\n");
}

/* Every cut of a template fails or renders, and leaks nothing (the sanitizers watch). */
static void test_every_prefix(void **state)
{
    size_t size;
    char *source = read_whole(LICHEN_TEST_DATA "/text/templates/own/harmony.jinja", &size);
    (void)state;
    assert_non_null(source);
    for (size_t i = 0; i < size; i++) {
        struct rendered got;
        render(source, i, "{\"messages\": [{\"role\": \"user\", \"content\": \"x\"}]}", &got);
        free(got.text);
    }
    free(source);
}

static int clean_up(void **state)
{
    (void)state;
    render_text("", "{}");
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_steps),          cmocka_unit_test(test_output),
        cmocka_unit_test(test_memory),         cmocka_unit_test(test_growing_text),
        cmocka_unit_test(test_source_nesting), cmocka_unit_test(test_long_rows),
        cmocka_unit_test(test_run_nesting),    cmocka_unit_test(test_refused),
        cmocka_unit_test(test_faults),         cmocka_unit_test(test_bad_variables),
        cmocka_unit_test(test_bad_source),     cmocka_unit_test(test_locale),
        cmocka_unit_test(test_every_prefix),
    };
    return cmocka_run_group_tests(tests, NULL, clean_up);
}
