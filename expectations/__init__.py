"""Release rules of the published panel. Knows no orchestration and no econometrics."""
