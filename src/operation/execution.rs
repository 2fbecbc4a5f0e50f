//! What the library makes of an operation, whatever happens meanwhile.

use std::panic::AssertUnwindSafe;

use async_graphql::{Response, ServerError};
use futures_util::{FutureExt, StreamExt};
use tokio::time::timeout_at;

use super::outcome::server_error;
use super::{FAILED, GRACE};
use crate::graph::{Code, Error, Live, Request};
use crate::schema::Schema;

/// What the library makes of it; a panic of a field is an error of this request alone.
pub async fn execute(schema: Schema, request: Request, executable: async_graphql::Request) -> Response {
    let deadline = request.deadline() + GRACE;
    let streams = !matches!(request.live, Live::No);
    let executable = executable.data(request);
    let execution = async {
        match streams {
            false => schema.execute(executable).await,
            true => first(&schema, executable).await,
        }
    };
    let error = match timeout_at(deadline, AssertUnwindSafe(execution).catch_unwind()).await {
        Ok(Ok(response)) => return response,
        Ok(Err(_)) => {
            tracing::error!("a field panicked");
            Error::new(Code::Internal, FAILED)
        }
        Err(_) => Error::out_of_time(),
    };
    Response::from_errors(vec![server_error(error.into(), "")])
}

/// The first answer of a subscription; one without data and errors where there is none.
async fn first(schema: &Schema, executable: async_graphql::Request) -> Response {
    let first = schema.execute_stream(executable).next().await;
    first.unwrap_or_else(|| Response::from_errors(Vec::<ServerError>::new()))
}
