/* moment.c - days and moments: those of the clock, and those at the beginning of a line of a log */
#include "programs/report/moment.h"

#include <time.h>

#include "programs/report/pieces.h"

unsigned moment_day(int days)
{
    time_t now = time(NULL);
    struct tm day;

    if (localtime_r(&now, &day) == NULL)
        return 0;
    day.tm_mday += days;
    day.tm_hour = 12; /* no change of the clock is near */
    (void)mktime(&day);
    return (unsigned)(day.tm_year + 1900) * 10000 + (unsigned)(day.tm_mon + 1) * 100 + (unsigned)day.tm_mday;
}

static bool is_leap(unsigned year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

bool moment_is_day(unsigned day)
{
    static const unsigned lengths[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    unsigned year = day / 10000, month = day / 100 % 100, date = day % 100;

    return year > 0 && month >= 1 && month <= 12 && date >= 1 &&
           date <= lengths[month - 1] + (month == 2 && is_leap(year));
}

/* Does the text look so? 9 is a digit, _ a digit or a blank, A a letter, all else itself. */
static bool looks(struct slice text, struct slice shape)
{
    for (size_t i = 0; i < shape.len; i++) {
        char c = (char)(i < text.len ? text.text[i] : '\0'), s = shape.text[i];

        if (s == '9' || s == '_' ? !is_digit(c) && !(s == '_' && c == ' ')
            : s == 'A'           ? !(lower_ascii(c) >= 'a' && lower_ascii(c) <= 'z')
                                 : c != s)
            return false;
    }
    return true;
}

/* The number of so many digits, the first of which may be a blank. */
static uint64_t digits(const char *text, size_t count)
{
    uint64_t value = 0;

    for (size_t i = 0; i < count; i++)
        value = value * 10 + (text[i] == ' ' ? 0 : (uint64_t)(text[i] - '0'));
    return value;
}

/* 1 to 12, or 0. */
static uint64_t month(const char *name)
{
    static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

    for (size_t i = 0; i < 12; i++)
        if (memcmp(names + 3 * i, name, 3) == 0)
            return i + 1;
    return 0;
}

static uint64_t moment(uint64_t day, const char *clock)
{
    return day * 1000000 + digits(clock, 2) * 10000 + digits(clock + 3, 2) * 100 + digits(clock + 6, 2);
}

/* Takes `Nov 21 10:13:07`, a fraction, and, in a file, the year; without one it is the last such day up to tomorrow. */
static uint64_t take_classic(struct slice *line, unsigned tomorrow, bool with_year)
{
    const char *at = line->text;
    uint64_t day = month(at) * 100 + digits(at + 4, 2);
    uint64_t year = with_year ? digits(at + 16, 4) : tomorrow / 10000 - (day > tomorrow % 10000);

    while (!with_year && day == 229 && !is_leap((unsigned)year))
        year--;
    skip(line, 15);
    (void)take_until(line, ' ');
    if (with_year)
        skip(line, 5);
    return day < 100 ? 0 : moment(year * 10000 + day, at + 7);
}

/* Takes `2026-11-21T10:13:07` with fraction and zone: the clock that counts is the one of the line. */
static uint64_t take_iso(struct slice *line)
{
    const char *at = line->text;

    (void)take_until(line, ' ');
    return moment(digits(at, 4) * 10000 + digits(at + 5, 2) * 100 + digits(at + 8, 2), at + 11);
}

/* Takes the priority and version with which RFC 5424 begins a line. */
static void take_priority(struct slice *line)
{
    struct slice rest = *line;

    if (!take(&rest, (struct slice)SLICE("<")))
        return;
    while (rest.len > 0 && is_digit(rest.text[0]))
        skip(&rest, 1);
    if (take(&rest, (struct slice)SLICE(">1 ")))
        *line = rest;
}

/* Takes date and, behind syslog's, the host's name, or what stands there. 0: that is not what stands here. */
uint64_t moment_take(struct slice *line, unsigned tomorrow, struct slice *host)
{
    uint64_t when;

    take_priority(line);
    if (looks(*line, (struct slice)SLICE("AAA AAA _9 99:99:99 9999 "))) {
        skip(line, 4);
        return take_classic(line, tomorrow, true);
    }
    if (looks(*line, (struct slice)SLICE("AAA _9 99:99:99 ")) || looks(*line, (struct slice)SLICE("AAA _9 99:99:99.9")))
        when = take_classic(line, tomorrow, false);
    else if (looks(*line, (struct slice)SLICE("9999-99-99T99:99:99")))
        when = take_iso(line);
    else
        return 0;
    *host = take_until(line, ' ');
    return when;
}
