"""What schemathesis asks of each answer to the operations that it makes up for the schema (.ci/run schemathesis).

Most of what it makes up is refused, for its ids, dates or sizes; that has to be said as the specification of GraphQL has it, and with a code that callers
can act on. A mistake of the gateway is INTERNAL, or 5xx.
"""
import schemathesis

CODES = {"GRAPHQL_PARSE_FAILED", "GRAPHQL_VALIDATION_FAILED", "BAD_USER_INPUT", "CONFLICT", "NOT_FOUND", "OPERATION_TOO_EXPENSIVE"}


@schemathesis.check
def answer_is_as_specified(ctx, response, case):
    assert response.status_code in (200, 400), response.status_code
    media = response.headers["content-type"][0].split(";")[0]
    assert media in ("application/json", "application/graphql-response+json"), media
    answer = response.json()
    assert set(answer) <= {"data", "errors", "extensions"} and ("data" in answer or "errors" in answer), answer
    errors = answer.get("errors", [{}])
    assert errors, "`errors` is there and empty"
    # Refused before it was executed: then there is no data, not null.
    assert "data" not in answer or response.status_code == 200, answer
    for error in answer.get("errors", []):
        assert isinstance(error["message"], str) and error["message"], error
        assert error["extensions"]["code"] in CODES and error["extensions"]["requestId"], error
        assert all(place["line"] > 0 and place["column"] > 0 for place in error.get("locations", [])), error
        at = answer.get("data")
        for step in error.get("path", []):
            assert isinstance(step, (str, int)), error
            # Null where the error is, or above it.
            at = at[step] if at is not None else None
        assert at is None or "path" not in error, error
