"""Where production logs hold what is measured: for each field the places it is looked for, in this order.

Dots lead into nested values. The names are those of OpenAI's API, of LiteLLM's spend logs and its standard logging
payload, of Langfuse's observations (its API's camel case and its exports' snake case), and what people commonly write.
"""

FIELDS: dict[str, tuple[str, ...]] = {
    "task": ("task", "metadata.task", "promptName", "prompt_name"),
    "time": (
        "created_at",
        "timestamp",
        "startTime",
        "start_time",
        "time",
        "ts",
        "created",
        "response.created",
        "response.body.created",
    ),
    "end": ("endTime", "end_time", "completed_at"),
    "latency": ("latency_s", "response_time", "duration_s", "elapsed_s", "latency"),
    "latency_ms": ("request_duration_ms", "latency_ms", "duration_ms", "response_time_ms", "elapsed_ms"),
    "prompt_tokens": (
        "prompt_tokens",
        "usage.prompt_tokens",
        "usage.input_tokens",
        "response.usage.prompt_tokens",
        "response.body.usage.prompt_tokens",
        "usageDetails.input",
        "usage_details.input",
        "usage.input",
        "promptTokens",
        "input_tokens",
    ),
    "completion_tokens": (
        "completion_tokens",
        "usage.completion_tokens",
        "usage.output_tokens",
        "response.usage.completion_tokens",
        "response.body.usage.completion_tokens",
        "usageDetails.output",
        "usage_details.output",
        "usage.output",
        "completionTokens",
        "output_tokens",
    ),
    "cost": (
        "cost_usd",
        "spend",
        "response_cost",
        "totalCost",
        "total_cost",
        "calculatedTotalCost",
        "costDetails.total",
        "cost_details.total",
        "cost",
    ),
    "status": (
        "outcome",
        "status",
        "metadata.status",
        "level",
        "status_code",
        "response.status_code",
    ),
    "error": ("error", "response.error"),
    "input": (),
    "model": ("model", "provided_model_name", "response.model", "request.model"),
}
"""Where each field is looked for, in this order. `input` is what was asked; its readers are handed in."""
