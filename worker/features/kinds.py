"""Kinds of words that are counted: lists of them, and endings."""

from __future__ import annotations

CONNECTIVES = frozenset(
    "however therefore because although though first second third firstly secondly finally furthermore moreover also thus hence "
    "while whereas instead consequently nevertheless meanwhile then next besides since so but unless until additionally "
    "similarly likewise overall otherwise".split()
)
FIRST_PERSON = frozenset("i me my mine we us our ours".split())
AUXILIARIES = frozenset("can could may might must shall should will would".split())
SUBORDINATORS = frozenset(
    "because although though while whereas if unless until since when whenever where wherever whether after before that "
    "which who whom whose".split()
)
PREPOSITIONS = frozenset(
    "of in to for with on at from by about as into through after over between out against during without before under "
    "around among".split()
)
ARTICLES = frozenset("the a an".split())
SECOND_PERSON = frozenset("you your yours".split())
BE = frozenset("am is are was were be been being".split())
CHAT = frozenset("u ur r cuz bc lol omg gonna wanna kinda gotta alot thru tho thx pls ppl plz btw".split())
LOST_APOSTROPHE = frozenset(
    "dont cant wont didnt doesnt isnt arent wasnt werent couldnt wouldnt shouldnt havent hasnt hadnt im ive ill youre theyre "
    "thats theres whats lets id aint".split()
)
FUNCTION_WORDS = frozenset(
    "a about after again all also although always am an and another any are aren't around as at away back be because been "
    "before being both but by can can't cannot could did didn't do does doesn't doing don't down each either else even ever "
    "every few for from get gets go goes got had has hasn't have haven't having he her here him his how however i i'd i'll "
    "i'm i've if in instead into is isn't it it's its itself just like made make many may me more most much must my myself "
    "never no none nor not now of off often on once one only or other our out over own rather really same say says she "
    "should so some still such take than that that's the their them then there these they they're this those though to too "
    "two under until up us very was wasn't way we were weren't what when where which while who whom whose why will with "
    "without won't would yet you you're your yours".split()
)
NOUN_ENDINGS = ("tion", "ment", "ness", "ity", "ance", "ence", "ism")

# In the order of the features that count them.
STYLE = (AUXILIARIES, SUBORDINATORS, PREPOSITIONS, ARTICLES, SECOND_PERSON, BE, CHAT, LOST_APOSTROPHE)
ENDINGS = (NOUN_ENDINGS, ("ly",), ("ing",), ("ed",))
LISTS = (*STYLE, CONNECTIVES, FIRST_PERSON, FUNCTION_WORDS)
# Columns of what `of_word` gives.
STYLE_AT, CONNECTIVE, FIRST, FUNCTION = slice(0, len(STYLE)), *range(len(STYLE), len(LISTS))
ENDINGS_AT = slice(len(LISTS), len(LISTS) + len(ENDINGS))
COUNT = ENDINGS_AT.stop


def of_word(word: str) -> list[bool]:
    """(COUNT,) of which kinds a word in small letters is."""
    return [*(word in each for each in LISTS), *(word.endswith(each) for each in ENDINGS)]
