"""Words, numbers and headers that have broken servers before."""

from __future__ import annotations

from urllib.parse import quote

from hypothesis import strategies as st

NOBODY = "00000000-0000-7000-8000-000000000000"
# JSON that Python would not write: put in place of the word when a body is made.
RAW = {
    "@DEEP@": b"[" * 2000 + b"]" * 2000,
    "@DEEPER@": b"[" * 100_000 + b"]" * 100_000,
    "@DEEP OBJECT@": b'{"a":' * 900 + b"1" + b"}" * 900,
    "@NOT SO DEEP@": b'{"a":' * 260 + b"1" + b"}" * 260,
    "@LONG NUMBER@": b"9" * 5000,
    "@NAN@": b"NaN",
    "@INFINITY@": b"-Infinity",
    "@HUGE@": b"1e999",
    "@TINY@": b"1e-999",
    "@HALF@": b'"\\ud800"',
    "@OTHER HALF@": b'"a\\udc00b"',
    "@NUL@": b'"a\\u0000b"',
    "@BYTES@": b'"\xff\xfe"',
    "@BARE@": b"undefined",
    "@COMMENT@": b"1 /* c */",
}
TEXTS = [
    "", " ", "\t\n", "a", "A text of some words, as a student writes it.", "\0", "a\0b", "\x7f", "\x1b[31m", "\ufeff", "\ufffe",
    "\u202e", "\U0001f600" * 3, "e\u0301" * 10, "\u0130\u0131\u1e9e", "'", '"', "\\", "';--", "%s%n%d", "{{7*7}}", "${jndi:x}",
    "=1+1", "<script>", "../../etc/passwd", "..\\", "\r\nX-Evil: 1", "null", "true", "NaN", "0", "-1", "1e999", "0x1F",
    "99999999999999999999", "9" * 400, "a" * 255, "a" * 256, "a" * 5000, "\u00e4" * 1000, "default", "default@1", "default@0",
    "@", "@1", "a@b@c", "default@99999999999", "default@-1", "default@1e3", "any", "cpu", "queued", "failed", NOBODY,
    NOBODY.upper(), NOBODY.replace("-", ""), "{" + NOBODY + "}", "urn:uuid:" + NOBODY, "2026-02-30", "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-14:00", "1e30", "-1e30", "{", "[]", '{"a": 1}', '{"a": NaN}', '{"a": ' + "[" * 2000, "http://a/b",
    "https://\u00e4.example/", "http://[::1]/", "http://" + "a" * 3000, "AAAAAAAAAAAAAAAAAAAAAA", "A" * 22, "_" * 43,
]  # fmt: skip
text = st.sampled_from(TEXTS) | st.text(max_size=30)
value = (
    st.sampled_from([None, True, False, 0, 1, -1, 2**31, 2**63, -(2**63), 10**400, 0.5, -0.0, 1e308, [], {}, [[]], [None]])
    | st.sampled_from(sorted(RAW))
    | text
    | st.lists(text, max_size=3)
    | st.dictionaries(text, text, max_size=3)
    | st.integers()
    | st.floats()
)  # fmt: skip
QUERIES = (
    "state", "batch", "external_id", "rubric", "limit", "cursor", "code", "job", "type", "version", "format", "calibration",
    "since",
    "period", "force", "prompt", "model", "device", "explain", "allow_degraded", "baseline", "callback_url", "metadata",
    "colour", "",
)  # fmt: skip
SENSIBLE = {
    "limit": ["1", "200", "201", "0", "-1", "1.5", "\u0661"], "version": ["1", "2", "0", "1000000", "1000001", "+1", "1_0"],
    "format": ["json", "csv", "ndjson", "xlsx", "canvas", "html"], "period": ["day", "week", "month", "year"],
    "since": ["2026-01-01", "2026-01-01T00:00:00Z", "1", "-1", "99999999999", "0001-01-01T00:00:00+14:00"],
    "state": ["queued", "failed", "delivered", "pending"], "force": ["true", "1", "maybe"], "rubric": ["default", "default@1"],
    "metadata": ["{}", '{"a": 1}', "{", '{"a": "\\u0000"}', '{"\\ud800": 1}'], "baseline": ["auto", "none"],
}  # fmt: skip
KINDS = [
    "application/json", "application/json; charset=utf-8", "application/json; charset=utf-16", "application/json;charset=nope",
    'application/json; a="b\\"', "application/problem+json", "application/x+json", "APPLICATION/JSON", "text/json", "text/csv",
    "text/csv; header=present", "application/csv", "text/plain", "application/x-ndjson", "application/x-www-form-urlencoded",
    "multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data; boundary=b",
    'multipart/form-data; boundary="b"',
    "multipart/form-data; boundary=" + "b" * 5000, "multipart/mixed; boundary=b", "application/zip",
    "application/octet-stream", "",
    "/", "a", ";", "application/json\xff", "application/json" + "; a=b" * 500, "application/json; charset*=utf-8''%ff",
]  # fmt: skip
HEADERS = {
    "If-None-Match": ["*", '""', 'W/"a"', '"a", "b"', '"', "W/", ",", '"' + "a" * 5000 + '"', "\xff", 'W/"\xe4"'],
    "If-Match": ["*", '"a"', 'W/"a"', '"', "", ",", "\xff"],
    "If-Modified-Since": ["Thu, 01 Jan 1970 00:00:00 GMT", "Thu, 99 Foo 99999 99:99:99 GMT", "0", "-1", "\xff"],
    "If-Unmodified-Since": ["Thu, 01 Jan 1970 00:00:00 GMT", "x"],
    "If-Range": ['"a"', "Thu, 01 Jan 1970 00:00:00 GMT", "\xff"],
    "Range": ["bytes=0-0", "bytes=0-", "bytes=-1", "bytes=5-1", "bytes=a-b", "bytes=0-0,1-1", "bytes=" + "0-0," * 500,
    "items=1-2",
              "bytes=99999999999999999999-", "=", "bytes", "bytes=--1", "bytes=\xb2-\xb3"],
    "Prefer": ["wait=0", "wait=1", "wait=99999999999", "wait=-1", "wait=1e9", 'wait="1"', "wait", "respond-async, wait=1",
    "wait=\xb2",
               "wait=1;wait=2", ",;=", "return=minimal"],
    "Accept": ["*/*", "text/html", "application/json", "text/html;q=1.1", "a/b;q=" + "9" * 400, ";q=0",
    "text/*;level=1;q=nan", ",,,",
               "*", "text/html, application/json;q=0.9", "a/b," * 500, "\xff/\xff"],
    "Accept-Encoding": ["gzip", "gzip;q=0", "identity;q=0", "*;q=0", "br", "gzip;q=x", "gzip;q=inf", "\xff"],
    "Accept-Language": ["de", "*", "\xff"],
    "Last-Event-ID": ["", "0", "a", "\xff", "\0" * 0 + "a" * 5000, "-1", '"'],
    "Idempotency-Key": ["a", '"a"', '"a', '"a\\"b"', '"\\a"', "", " ", "a" * 255, "a" * 256, "\xe4", "\x80", "\x7f", "a, b",
    '""'],
    "X-Request-ID": ["a", "a" * 101, "\xff", "a b", "..", "", "%0d%0a"],
    "Authorization": ["", "Bearer", "Bearer ", "Basic YTpi", "bearer x", "Bearer gl_000000000000_x", "Bearer gl__", "Bearer \xff",
                      "Bearer gl_" + "a" * 5000, "Bearer gl_\xe4_x", "Bearer gl_a_b_c", "Digest a=b", "Bearer\tx"],
    "Content-Encoding": ["gzip", "deflate", "br", "identity", "gzip, gzip", "\xff"],
    "Origin": ["null", "http://a", "\xff"],
    "Access-Control-Request-Method": ["GET", "\xff"],
    "X-Forwarded-For": ["1.2.3.4", "\xff"],
    "Forwarded": ["for=1"],
    "Cookie": ["a=b", "=", "a=" + "b" * 5000, "\xff"],
    "Expect": ["100-continue"],
    "X-HTTP-Method-Override": ["DELETE"],
    "Content-Disposition": ["attachment; filename=../x"],
}  # fmt: skip


def header(name: str) -> st.SearchStrategy[tuple[str, str]]:
    """A header with one of its values, or with anything that may stand on a line."""
    line = st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=40)
    return (st.sampled_from(HEADERS[name]) | line).map(lambda said: (name, said.strip(" \t")))


def quoted(word: str, safe: str = "") -> str:
    """A word in an address; halves of pairs go as the three bytes that they would be."""
    return quote(word.encode("utf-8", "surrogatepass"), safe=safe)
