"""Google's models, through the Gemini API or Vertex AI."""

from sglang.lang.backend.service import ServiceBackend, seconds, variable


class VertexAI(ServiceBackend):
    """A Gemini model.

    With ``api_key`` or GEMINI_API_KEY (GOOGLE_API_KEY) it is asked through the Gemini API; otherwise
    through Vertex AI: GCP_PROJECT_ID, GCP_LOCATION, and an access token in GOOGLE_ACCESS_TOKEN
    (``gcloud auth print-access-token``).
    """

    def __init__(
        self,
        model_name,
        safety_settings=None,
        *,
        api_key=None,
        base_url=None,
        timeout=0,
        max_retries=None,
        deadline=None,
        verify=None,
        **limits,
    ):
        key = api_key or variable("GEMINI_API_KEY", "GOOGLE_API_KEY")
        token = None if key else variable("GOOGLE_ACCESS_TOKEN")
        super().__init__(
            "vertex" if token else "gemini",
            base_url or (_vertex_url() if token else "https://generativelanguage.googleapis.com/v1beta"),
            model_name,
            safety_settings=_safety(safety_settings),
            api_key=key or token,
            timeout=seconds(timeout),
            max_retries=max_retries,
            deadline=deadline,
            verify=verify,
            **limits,
        )


Gemini = VertexAI


def _vertex_url():
    project, location = variable("GCP_PROJECT_ID"), variable("GCP_LOCATION") or "us-central1"
    if project is None:
        raise ValueError("Vertex AI needs the environment variable GCP_PROJECT_ID.")
    # The global endpoint's name has no location.
    prefix = "" if location == "global" else f"{location}-"
    return f"https://{prefix}aiplatform.googleapis.com/v1/projects/{project}/locations/{location}/publishers/google"


def _safety(settings):
    """Vertex AI's Python library takes a dictionary of category and threshold, its API a list."""
    if not isinstance(settings, dict):
        return settings
    pairs = [(_enum_name(category), _enum_name(threshold)) for category, threshold in settings.items()]
    return [{"category": category, "threshold": threshold} for category, threshold in pairs]


def _enum_name(value):
    return getattr(value, "name", value)
