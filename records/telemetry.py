"""Every vendor's switch for telemetry and for downloads nobody asked for, in one place. Data, and nothing else.

One entry per environment variable. All processes of Retort get `OFF`: services, the training process, LiteLLM wherever
it is imported. `OFFLINE` is for those that need no model hub. What each switch stops, by the vendors' sources
(the versions in `locks/`):

| switch | stops |
|---|---|
| DO_NOT_TRACK, DISABLE_TELEMETRY | Prefect's client, Axolotl (PostHog), huggingface_hub, whatever else honours them |
| PREFECT_SERVER_ANALYTICS_ENABLED | the server's heartbeat to Prefect |
| PREFECT_TELEMETRY_ENABLE_RESOURCE_METRICS | metrics sent to the address of the API |
| LITELLM_LOCAL_* | price list, headers, presets, blog posts and templates, fetched from GitHub |
| HF_HUB_DISABLE_TELEMETRY | user agents and events to the hub; Argilla's server follows it too |
| HF_HUB_DISABLE_UPDATE_CHECK, HF_UPDATE_DOWNLOAD_COUNTS | a look for a newer version; a count of data sets read |
| AXOLOTL_DO_NOT_TRACK | Axolotl's PostHog events |
| GRADIO_ANALYTICS_ENABLED | Gradio, which Axolotl and Trackio import |
| WANDB_MODE, COMET_MODE, SWANLAB_MODE | experiment trackers, where a recipe or a left-over login switches one on |
| PIP_DISABLE_PIP_VERSION_CHECK | pip's look for a newer pip |

Argilla's older ARGILLA_ENABLE_TELEMETRY is kept for servers before 2.8. `SEALED` comes on top where a process may speak
to listed hosts only (`records.cutoff`): the hub's second transport (Xet), which is native code that no guard in Python
sees; MLflow, which has no switch but sends where its tracking URI says; the OpenTelemetry exporters of any library.
"""

OFF = {
    "DO_NOT_TRACK": "1",
    "DISABLE_TELEMETRY": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_TELEMETRY_ENABLE_RESOURCE_METRICS": "false",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS": "True",
    "LITELLM_LOCAL_AUTOROUTER_PRESETS": "True",
    "LITELLM_LOCAL_BLOG_POSTS": "True",
    "LITELLM_LOCAL_POLICY_TEMPLATES": "True",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_UPDATE_CHECK": "1",
    "HF_UPDATE_DOWNLOAD_COUNTS": "0",
    "ARGILLA_ENABLE_TELEMETRY": "0",
    "AXOLOTL_DO_NOT_TRACK": "1",
    "GRADIO_ANALYTICS_ENABLED": "False",
    "WANDB_MODE": "disabled",
    "COMET_MODE": "disabled",
    "SWANLAB_MODE": "disabled",
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
}
OFFLINE = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}
SEALED = {"HF_HUB_DISABLE_XET": "1", "MLFLOW_TRACKING_URI": "", "OTEL_SDK_DISABLED": "true"}
