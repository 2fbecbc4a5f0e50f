//! What the library makes of an operation, whatever happens meanwhile.

use std::panic::AssertUnwindSafe;
use std::pin::pin;

use async_graphql::{Response, ServerError};
use futures_util::{FutureExt, Stream, StreamExt};
use tokio::time::{Instant, timeout_at};

use super::GRACE;
use super::outcome::server_error;
use crate::graph::{Error, Live, Request};
use crate::schema::Schema;

/// What the library makes of it.
pub async fn execute(schema: Schema, request: Request, executable: async_graphql::Request) -> Response {
    let deadline = request.deadline() + GRACE;
    let streams = !matches!(request.live, Live::No);
    let executable = executable.data(request);
    // Pinned where it is: it is large, and each hand that it went through would copy it.
    let execution = pin!(async {
        match (&schema, streams) {
            (Schema::Alone(schema), false) => schema.execute(executable).await,
            (Schema::Subgraph(schema), false) => schema.execute(executable).await,
            (Schema::Alone(schema), true) => first(schema.execute_stream(executable)).await,
            (Schema::Subgraph(schema), true) => first(schema.execute_stream(executable)).await,
        }
    });
    within(deadline, execution).await
}

/// What comes of an execution in its time; a panic of a field is an error of this request alone.
async fn within(deadline: Instant, execution: impl Future<Output = Response>) -> Response {
    let error = match timeout_at(deadline, AssertUnwindSafe(execution).catch_unwind()).await {
        Ok(Ok(response)) => return response,
        Ok(Err(_)) => {
            tracing::error!("a field panicked");
            Error::internal()
        }
        Err(_) => Error::out_of_time(),
    };
    Response::from_errors(vec![server_error(error.into(), "")])
}

/// The first answer of a subscription; one without data and errors where there is none.
async fn first(answers: impl Stream<Item = Response>) -> Response {
    pin!(answers).next().await.unwrap_or_else(|| Response::from_errors(Vec::<ServerError>::new()))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_panic_of_a_field_is_an_error_of_its_request_and_so_is_one_that_takes_too_long() {
        let deadline = Instant::now() + Duration::from_secs(5);
        let code = |response: Response| {
            assert_eq!(response.data, async_graphql::Value::Null);
            let [error] = &*response.errors else { panic!("{:?}", response.errors) };
            assert!(!error.message.contains("secret"), "{}", error.message);
            error.extensions.as_ref().and_then(|told| told.get("code")).map(ToString::to_string)
        };
        let panicked = within(deadline, async { panic!("a secret of the code") }).await;
        assert_eq!(code(panicked).as_deref(), Some("\"INTERNAL\""));
        let late = within(deadline, std::future::pending()).await;
        assert_eq!(code(late).as_deref(), Some("\"UPSTREAM_TIMEOUT\""));
        assert!(within(deadline, async { Response::default() }).await.errors.is_empty());
    }
}
