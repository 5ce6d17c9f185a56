"""The one place that imports Presidio: entities such as EMAIL_ADDRESS or PERSON in a text, where a task asks for them.

Presidio (MIT, Microsoft) is optional, for it brings spaCy: `.venv/app/bin/python -m pip install presidio-analyzer`.
Entities that it finds by pattern and checksum (EMAIL_ADDRESS, CREDIT_CARD, IBAN_CODE, IP_ADDRESS, PHONE_NUMBER...) need
no more than that. PERSON, LOCATION, NRP, DATE_TIME and ORGANIZATION come from a language model of spaCy, which is a
download of its own (`python -m spacy download en_core_web_lg`, Presidio's default for English). It is never downloaded
from here: where it is missing, a task that wants such an entity is refused.

Its check of e-mail addresses would fetch the public list of top-level domains at the first address: the list that
comes with the package is taken instead.
"""

import functools
from typing import Any

from records.errors import EnvironmentFault, InputError

_LANGUAGE = "en"
_MODEL = "en_core_web_lg"
_BY_MODEL = {"PERSON", "LOCATION", "NRP", "DATE_TIME", "ORGANIZATION"}


def entities(text: str, wanted: tuple[str, ...]) -> list[tuple[int, int, str]]:
    """(start, end, entity) of what Presidio finds in an English text.

    Raises InputError where Presidio is not installed or does not know an entity, EnvironmentFault without its model.
    """
    found = _analyzer(wanted).analyze(text=text, language=_LANGUAGE, entities=list(wanted))
    return [(one.start, one.end, one.entity_type) for one in found]


@functools.cache
def _analyzer(wanted: tuple[str, ...]) -> Any:
    try:
        import presidio_analyzer
        import tldextract
    except ImportError:
        raise InputError(
            f"presidio: {', '.join(wanted)} in task.yaml, but Presidio is not installed. Install it into the app "
            "environment (.venv/app/bin/python -m pip install presidio-analyzer), or mask by patterns: redact."
        ) from None
    tldextract.tldextract.TLD_EXTRACTOR = tldextract.TLDExtract(suffix_list_urls=())
    analyzer = presidio_analyzer.AnalyzerEngine(nlp_engine=_language(wanted), supported_languages=[_LANGUAGE])
    unknown = sorted(set(wanted) - set(analyzer.get_supported_entities(_LANGUAGE)))
    if unknown:
        raise InputError(f"presidio: {', '.join(unknown)}: Presidio does not know that. Correct it in task.yaml.")
    return analyzer


def _language(wanted: tuple[str, ...]) -> Any:
    """spaCy's model where an entity needs one, else a blank English: sentences and words, no download."""
    import spacy
    from presidio_analyzer.nlp_engine import SpacyNlpEngine

    named = sorted(_BY_MODEL & set(wanted))
    if named and not spacy.util.is_package(_MODEL):
        raise EnvironmentFault(
            f"presidio: {', '.join(named)} needs the language model {_MODEL}, which is not installed. Install it into "
            f"the app environment (python -m spacy download {_MODEL}), or leave these entities out."
        )
    engine = SpacyNlpEngine(models=[{"lang_code": _LANGUAGE, "model_name": _MODEL}])
    engine.nlp = {_LANGUAGE: spacy.load(_MODEL) if named else spacy.blank(_LANGUAGE)}
    return engine
