//! `/operations/{name}`: a trusted operation by its name, for programs that speak REST.

use std::sync::Arc;

use axum::extract::{Path, RawQuery, Request, State};
use axum::http::HeaderMap;
use axum::response::Response;

use super::graphql::Exchange;
use super::read;
use super::track::RequestId;
use crate::app::App;
use crate::metrics::Outcome;
use crate::operation::Way;

/// `GET /operations/{name}`: a query; `variables` of the address has the variables.
pub async fn get(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    let id = RequestId::of(&headers);
    let response = match Exchange::open(&app, &headers, &id).await {
        Ok(exchange) => {
            let asked = format!("{name}?{}", query.unwrap_or_default());
            exchange.answer(Way::Named, asked.into()).await
        }
        Err(refused) => *refused,
    };
    id.put(response)
}

/// `POST /operations/{name}`: the body has the variables. It becomes that of `POST /graphql`, and is answered like it.
pub async fn post(State(app): State<Arc<App>>, Path(name): Path<String>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let id = RequestId::of(&parts.headers);
    let response = match Exchange::open(&app, &parts.headers, &id).await {
        Ok(exchange) => match exchange.read(body).await {
            Ok(variables) => {
                app.operations().keep_up().await;
                let plain = read::is_plain(exchange.headers);
                match plain.and_then(|()| read::call(app.operations(), &name, &variables)) {
                    Ok(bytes) => exchange.answer(Way::Post, bytes).await,
                    Err(why) => {
                        exchange.count(Outcome::Refused);
                        exchange.refuse(why)
                    }
                }
            }
            Err(refused) => *refused,
        },
        Err(refused) => *refused,
    };
    id.put(response)
}
