"""Further spellings of times: optional zeros, any separator, months in words of many languages, weeks, quarters, half years.

A column is rewritten cell by cell into plain signs (months as `@3`, no names of weekdays, `am` for `a. m.`), and then has to
be of one form as a whole.
"""

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd

NAMES = {
    1: "january januar janvier enero janeiro gennaio januari ianuarie styczen stycznia leden ledna tammikuu ocak "
    "январь января jan janv ene gen sty led tammi oca янв",
    2: "february februar fevrier febrero fevereiro febbraio februari februarie luty lutego unor unora helmikuu subat "
    "февраль февраля feb fevr fev lut uno helmi sub фев",
    3: "march marz mars marzo marco maart mart martie marzec marca brezen brezna maaliskuu март марта "
    "мар mar mrz maa mrt bre",
    4: "april avril abril aprile aprilie kwiecien kwietnia duben dubna huhtikuu nisan апрель апреля apr avr abr kwi "
    "dub huhti nis апр",
    5: "may mai mayo maio maggio mei maj maja kveten kvetna toukokuu mayis май мая mag touko kve",
    6: "june juni juin junio junho giugno junij iunie czerwiec czerwca cerven cervna kesakuu haziran июнь июня jun "
    "giu cze kesa haz июн",
    7: "july juli juillet julio julho luglio iulie lipiec lipca cervenec cervence heinakuu temmuz июль июля jul juil "
    "lug lip heina tem июл",
    8: "august aout agosto augustus augusti sierpien sierpnia srpen srpna elokuu agustos август августа aug aou ago "
    "sie srp elo agu авг",
    9: "september septembre septiembre setembro settembre septembrie wrzesien wrzesnia zari syyskuu eylul сентябрь "
    "сентября sep sept set wrz zar syys eyl сен сент",
    10: "october oktober octobre octubre outubro ottobre octombrie pazdziernik pazdziernika rijen rijna lokakuu ekim "
    "октябрь октября oct okt out ott paz rij loka eki окт",
    11: "november novembre noviembre novembro noiembrie listopad listopada marraskuu kasim ноябрь ноября nov noi lis "
    "marras kas ноя нояб",
    12: "december dezember decembre diciembre dezembro dicembre decembrie grudzien grudnia prosinec prosince joulukuu "
    "aralik декабрь декабря dec dez dic des gru pro joulu ara дек",
}
WEEKDAYS = frozenset(
    "mon monday tue tues tuesday wed wednesday thu thur thurs thursday fri friday sat saturday sun sunday "
    "mo montag di dienstag mi mittwoch do donnerstag fr freitag sa samstag sonnabend so sonntag "
    "lun lundi mar mardi mer mercredi jeu jeudi ven vendredi sam samedi dim dimanche "
    "lunes martes mie miercoles jue jueves vie viernes sab sabado dom domingo "
    "lunedi martedi mercoledi gio giovedi venerdi sabato domenica seg ter qua qui sex "
    "maandag dinsdag woensdag donderdag vrijdag zaterdag zondag ma wo vr za zo "
    "pon wto sro czw pia sob nie пн вт ср чт пт сб вс".split()
)
ZONE = r"(?:\s*(?P<zone>z|utc|gmt|[+-]\d{2}(?::?\d{2})?))?"
CLOCK = (
    r"(?:(?:[t,]|,?\s)\s*(?P<h>\d{1,2})[:.h](?P<mi>\d{2})(?:[:.](?P<s>\d{2})(?:[.,](?P<f>\d{1,9}))?)?\s*(?P<half>am|pm)?"
    + ZONE
    + ")?"
)
WORD = re.compile(r"[^\W\d_]+")
SAMPLE = 20
LATEST_YEAR_AHEAD = 5
"""So many years from now a year of two digits may lie."""


@dataclass(frozen=True)
class Form:
    """A form of times.

    Attributes:
        pattern: of a rewritten cell.
        parse: makes parts of a time, by their names, of the cells' groups; None where these are no times after all.
        needs_name: whether the column's name has to say that it holds times.
    """

    pattern: re.Pattern[str]
    parse: Callable[[pd.DataFrame], pd.Series | None]
    needs_name: bool = False


def parse_spelled(cells: pd.Series, named: bool) -> pd.Series | None:
    """Times of cells that are all of one of the forms; None where they are not.

    Args:
        cells: distinct texts, in the order of the file.
        named: whether the column's name says that it holds times.
    """
    first = [rewritten(cell) for cell in cells.iloc[:SAMPLE]]
    likely = [form for form in FORMS if (named or not form.needs_name) and all(map(form.pattern.fullmatch, first))]
    written = [rewritten(cell) for cell in cells] if likely else []
    for form in likely:
        if (times := parsed(form, written)) is not None:
            return pd.Series(times.to_numpy(), index=cells.index)
    return None


def parsed(form: Form, written: Sequence[str]) -> pd.Series | None:
    """Times of rewritten cells by one form; None where a cell is not of it."""
    found = [form.pattern.fullmatch(cell) for cell in written]
    if not all(found):
        return None
    times = form.parse(pd.DataFrame([one.groupdict() for one in found if one]))
    return times if times is not None and times.notna().all() else None


def is_spelled(cell: str) -> bool:
    """Whether a cell can only be a time of one of the forms."""
    written = rewritten(cell)
    return any(form.pattern.fullmatch(written) for form in FORMS if not form.needs_name)


def plain(text: str) -> str:
    """A text in small letters, without accents and odd blanks."""
    apart = unicodedata.normalize("NFKD", text).replace("\u00a0", " ")
    return "".join(c for c in apart if not unicodedata.combining(c)).lower().strip()


MONTH_OF = {plain(name): month for month, names in NAMES.items() for name in names.split()}
"""Months by their names in English, German, French, Spanish, Portuguese, Italian, Dutch, Polish, Czech, Finnish, Romanian,
Turkish, Russian and the Nordic languages, long and short."""


def rewritten(cell: str) -> str:
    """A cell in small letters and plain signs: months as `@3`, without weekday, ordinal ending, or the name of a zone."""
    text = re.sub(r"(\d{4})\s*[年년]\s*(\d{1,2})\s*[月월](?:\s*(\d{1,2})\s*[日일])?", _dashed, cell)
    text = plain(text).strip("'\"")
    text = _without_weekday(re.sub(r"\[[\w/+:-]+\]$", "", text))
    text = re.sub(r"\b([ap])\.?\s?m\b\.?", r"\1m", text)
    text = re.sub(r"(?<=\d)(st|nd|rd|th)\b", "", text)
    text = re.sub(r"\b(?:de|of|del|le|kl|um|uhr)\b\.?\s*", "", text)
    text = re.sub(r"\s(?:dst|cest|cet|edt|est)$", "", text)
    return re.sub(r"\s+", " ", WORD.sub(_month, text)).strip()


def _without_weekday(text: str) -> str:
    """A text without the name of a weekday before its date; `mar` is a Tuesday only where the month is said otherwise."""
    first = re.match(r"([^\W\d_]+)[.,]*\s+(?=.*\d)", text)
    if first is None or first[1] not in WEEKDAYS:
        return text
    rest = text[first.end() :]
    said = re.search(r"\d[-./ ]\d", rest) or any(word in MONTH_OF for word in WORD.findall(rest))
    return rest if said or first[1] not in MONTH_OF else text


def _dashed(match: re.Match[str]) -> str:
    return "-".join(part for part in match.groups() if part)


def _month(match: re.Match[str]) -> str:
    """The sign for a word that is the name of a month; other words stay."""
    month = MONTH_OF.get(match[0])
    return match[0] if month is None else f"@{month}"


# --------------------------------------------------------------------------------------------------------------- parts


def _int(parts: pd.DataFrame, name: str, default: int = 0) -> pd.Series:
    return pd.to_numeric(parts[name]).fillna(default).astype("int64") if name in parts else _same(parts, default)


def _same(parts: pd.DataFrame, value: int) -> pd.Series:
    return pd.Series(np.full(len(parts), value), index=parts.index)


def _date(parts: pd.DataFrame) -> pd.Series | None:
    """A year, perhaps a month and a day, perhaps a clock."""
    year = full_years(parts["yy"]) if "yy" in parts else _int(parts, "y")
    days = pd.DataFrame({"year": year, "month": _int(parts, "m", 1), "day": _int(parts, "d", 1)})
    if not days["year"].between(1678, 2261).all():
        return None
    date = pd.to_datetime(days, errors="coerce")
    return None if date.isna().any() else date + _clock(parts)


def _clock(parts: pd.DataFrame) -> pd.Series:
    if "h" not in parts or parts["h"].isna().all():
        return pd.Series(pd.Timedelta(0), index=parts.index)
    hours, half = _int(parts, "h"), parts["half"].fillna("") if "half" in parts else pd.Series("", index=parts.index)
    twelve = hours.eq(12)
    hours = hours.where(~(half.eq("pm") & ~twelve), hours + 12).where(~(half.eq("am") & twelve), 0)
    seconds = 3_600 * hours + 60 * _int(parts, "mi") + _int(parts, "s")
    fraction = pd.to_numeric("0." + parts["f"].fillna("0")) if "f" in parts else _same(parts, 0)
    return pd.to_timedelta(seconds, unit="s") + pd.to_timedelta((fraction * 1e9).round(), unit="ns") - _offset(parts)


def _offset(parts: pd.DataFrame) -> pd.Series:
    """How far a zone is ahead of universal time."""
    if "zone" not in parts or parts["zone"].isna().all():
        return pd.Series(pd.Timedelta(0), index=parts.index)
    found = parts["zone"].str.extract(r"([+-])(\d{2}):?(\d{2})?")
    minutes = 60 * pd.to_numeric(found[1]).fillna(0) + pd.to_numeric(found[2]).fillna(0)
    return pd.to_timedelta(minutes.where(found[0] != "-", -minutes), unit="min")


def full_years(two_digits: pd.Series) -> pd.Series:
    """Years of two digits in full: the latest century that is not in the future and keeps the order of the file.

    Args:
        two_digits: text of one or two digits, in the order of the file; longer years stay.
    """
    years = pd.to_numeric(two_digits).astype("int64")
    if (years >= 100).any():
        return years.where(years >= 100, years + 2000)
    latest = datetime.now().year + LATEST_YEAR_AHEAD
    steps = np.diff(years.to_numpy())
    wraps = steps < -50
    if (steps[~wraps] >= 0).all():  # in order, but for a change of century
        whole = years + 100 * np.concatenate([[0], np.cumsum(wraps)])
        return whole + 100 * ((latest - int(whole.max())) // 100)
    back = steps > 50
    if (steps[~back] <= 0).all():  # the latest first
        whole = years - 100 * np.concatenate([[0], np.cumsum(back)])
        return whole + 100 * ((latest - int(whole.max())) // 100)
    return years + 2000 - 100 * (years + 2000 > latest)


def _quarter(parts: pd.DataFrame) -> pd.Series | None:
    year = full_years(parts["yy"]) if "yy" in parts else _int(parts, "y")
    return _date(pd.DataFrame({"y": year, "m": 3 * _int(parts, "q") - 2}))


def _half(parts: pd.DataFrame) -> pd.Series | None:
    return _date(pd.DataFrame({"y": _int(parts, "y"), "m": 6 * _int(parts, "half_year") - 5}))


def _week(parts: pd.DataFrame) -> pd.Series | None:
    day = parts["wd"].fillna("1") if "wd" in parts else "1"
    week = parts["w"].str.zfill(2)
    if not pd.to_numeric(week).between(1, 53).all():
        return None
    return pd.to_datetime(parts["y"] + "-W" + week + "-" + day, format="%G-W%V-%u", errors="coerce")


def _fiscal(parts: pd.DataFrame) -> pd.Series | None:
    """Years like 1990/91: the second is the one after the first."""
    first, second = _int(parts, "y"), _int(parts, "next")
    if len(parts) < 3 or not ((first + 1) % 100 == second % 100).all():
        return None
    return _date(pd.DataFrame({"y": first}))


def _decimal_year(parts: pd.DataFrame) -> pd.Series | None:
    """Years with a fraction, of months: twelve of them to a year, each at its middle or its beginning."""
    years = pd.to_numeric(parts["number"])
    month = np.floor((years % 1) * 12 + 1e-2).astype(int) + 1
    even = np.diff(np.sort(years.to_numpy()))
    if len(years) < 3 or not years.between(1678, 2261).all() or not np.allclose(even, 1 / 12, atol=4e-3):
        return None
    return _date(pd.DataFrame({"y": np.floor(years).astype(int), "m": month.clip(upper=12)}))


def _since_1970(parts: pd.DataFrame) -> pd.Series | None:
    """Seconds, milliseconds, microseconds or nanoseconds since 1970, by how many digits they have."""
    digits = parts["number"].str.len()
    if digits.nunique() != 1 or is_date_and_hour(parts["number"]):
        return None
    unit = {9: "s", 10: "s", 13: "ms", 16: "us", 19: "ns"}.get(int(digits.iloc[0]))
    if unit is None:
        return None
    whole = pd.to_datetime(pd.to_numeric(parts["number"]), unit=unit, errors="coerce")  # type: ignore[call-overload]
    if parts["rest"].isna().all() or unit != "s":
        return whole
    return whole + pd.to_timedelta((pd.to_numeric("0" + parts["rest"].fillna(".0")) * 1e9).round(), unit="ns")


def is_date_and_hour(numbers: pd.Series) -> bool:
    """Whether numbers of ten digits are dates with an hour, as 2024010113."""
    if not numbers.str.fullmatch(r"(19|20)\d{8}").all():
        return False
    return pd.to_datetime(numbers, format="%Y%m%d%H", errors="coerce").notna().all()


def _excel_serial(parts: pd.DataFrame) -> pd.Series | None:
    """Days since the end of 1899, as Excel counts them; a column of them rises, and lies between 1955 and 2064."""
    days = pd.to_numeric(parts["number"])
    if len(days) < 3 or not days.between(20_000, 60_000).all() or not (days.diff().iloc[1:] > 0).all():
        return None
    whole = pd.Timestamp("1899-12-30") + pd.to_timedelta((days * 86_400).round(), unit="s")
    return pd.Series(whole, index=parts.index)


def _form(pattern: str, parse: Callable[[pd.DataFrame], pd.Series | None] = _date, needs_name: bool = False) -> Form:
    return Form(re.compile(pattern), parse, needs_name)


def _forms(
    *patterns: str, parse: Callable[[pd.DataFrame], pd.Series | None] = _date, needs_name: bool = False
) -> Sequence[Form]:
    return [_form(pattern, parse, needs_name) for pattern in patterns]


FORMS: Sequence[Form] = [
    *_forms(
        rf"(?P<y>\d{{4}})[-./](?P<m>\d{{1,2}})[-./](?P<d>\d{{1,2}}){CLOCK}",
        rf"(?P<y>\d{{4}})[-./ ]?@(?P<m>\d+)[-./ ]?(?P<d>\d{{1,2}}){CLOCK}",
        rf"(?P<d>\d{{1,2}})[-./ ]{{0,2}}@(?P<m>\d+)[-./, ]{{0,2}}(?P<y>\d{{4}}){CLOCK}",
        rf"(?P<d>\d{{1,2}})[-./ ]{{0,2}}@(?P<m>\d+)[-./, ]{{0,2}}(?P<yy>\d{{2}}){CLOCK}",
        rf"@(?P<m>\d+)\.? (?P<d>\d{{1,2}}),? (?P<y>\d{{4}}){CLOCK}",
        r"@(?P<m>\d+)[-./, ]{0,2}(?P<y>\d{4})",
        r"(?P<y>\d{4})[-./ ]?@(?P<m>\d+)\.?",
        r"@(?P<m>\d+)\.?[-./, ']{0,2}(?P<yy>\d{2})",
        r"(?P<y>\d{4})m(?P<m>\d{2})d(?P<d>\d{2})",
        r"(?P<y>\d{4})(?P<m>\d{2})(?P<d>\d{2})[t ]?(?P<h>\d{2}):?(?P<mi>\d{2}):?(?P<s>\d{2})(?P<zone>z)?",
        r"(?P<y>\d{4})(?P<m>\d{2})(?P<d>\d{2})[t ](?P<h>\d{2}):?(?P<mi>\d{2})(?P<zone>z)?",
    ),
    *_forms(r"(?P<y>\d{4})[ ./-]?[qt](?P<q>[1-4])", r"[qt](?P<q>[1-4])[ ./-]?(?P<y>\d{4})", parse=_quarter),
    *_forms(r"(?P<q>[1-4])[. ]?[qt][ ./'-]?(?P<y>\d{4})", r"fy ?(?P<y>\d{4})[ -]?q(?P<q>[1-4])", parse=_quarter),
    *_forms(r"(?P<q>[1-4])\.? ?(?:quarter|quartal|trimestre|trim|vierteljahr)\.? (?P<y>\d{4})", parse=_quarter),
    *_forms(r"(?P<q>[1-4])[. ]?[qt][ ./'-]?(?P<yy>\d{2})", r"[qt](?P<q>[1-4])[ ./'-](?P<yy>\d{2})", parse=_quarter),
    *_forms(r"fy ?(?P<yy>\d{2})[ -]?q(?P<q>[1-4])", r"q(?P<q>[1-4])[ -]?fy ?(?P<yy>\d{2})", parse=_quarter),
    *_forms(r"(?P<y>\d{4})[ ./-]?[sh](?P<half_year>[12])", r"[sh](?P<half_year>[12])[ ./-]?(?P<y>\d{4})", parse=_half),
    *_forms(
        r"(?P<y>\d{4})[ -]?w(?P<w>\d{1,2})(?:-?(?P<wd>[1-7]))?",
        r"(?:w|kw)[ ]?(?P<w>\d{1,2})[ ,./-]+(?P<y>\d{4})",
        parse=_week,
    ),
    *_forms(r"(?P<y>\d{4})[/–—](?P<next>\d{4}|\d{2})", r"fy ?(?P<y>\d{4})[/-](?P<next>\d{2})", parse=_fiscal),
    *_forms(
        r"(?P<y>(?:1[6-9]|2[0-2])\d{2})[-./](?P<m>0?[1-9]|1[0-2])",
        r"(?P<m>0?[1-9]|1[0-2])[./-](?P<y>(?:1[6-9]|2[0-2])\d{2})",
        needs_name=True,
    ),
    *_forms(r"(?P<y>(?:1[6-9]|2[0-2])\d{2})(?P<m>0[1-9]|1[0-2])", needs_name=True),
    *_forms(
        r"(?P<y>(?:19|20)\d{2})(?P<m>\d{2})(?P<d>\d{2})(?P<h>\d{2})(?P<mi>)",
        parse=lambda parts: _date(parts.assign(mi="0")),
        needs_name=True,
    ),
    _form(r"(?P<y>(?:19|20)\d{2})(?P<w>\d{2})", _week, needs_name=True),
    _form(r"(?P<number>\d{4}\.\d{1,6})", _decimal_year, needs_name=True),
    _form(r"(?P<number>\d{9,19})(?P<rest>\.\d+)?", _since_1970, needs_name=True),
    _form(r"(?P<number>\d{5}(?:\.\d+)?)", _excel_serial, needs_name=True),
]
FISCAL = _form(r"(?P<y>\d{4})[-/–—](?P<next>\d{2}|\d{4})", _fiscal)
"""2000-01 where it is the year 2000/01 and no January: each second number is that of the next year."""
