"""The interface for programs: `/api/1/…`, described by its own OpenAPI document."""
