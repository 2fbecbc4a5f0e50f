//! The way in: routes, what every request gets, and the server that ends gracefully.

mod explorer;
mod graphql;
mod identify;
mod negotiate;
mod status;
mod track;

use std::future::Future;
use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn;
use axum::routing::get;
use axum::serve::ListenerExt;
use tokio::net::TcpListener;

use crate::app::App;

/// Everything that the gateway answers over HTTP.
pub fn router(app: Arc<App>) -> Router {
    Router::new()
        .route("/graphql", get(graphql::get).post(graphql::post))
        .route("/schema.graphql", get(status::sdl))
        .route("/health/live", get(status::live))
        .route("/health/ready", get(status::ready))
        .merge(explorer::routes())
        .fallback(status::not_found)
        .layer(from_fn(track::track))
        .with_state(app)
}

/// Serves until `stop`, then answers what is in progress and ends.
pub async fn serve(
    app: Arc<App>,
    listener: TcpListener,
    stop: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let draining = app.clone();
    let stop = async move {
        stop.await;
        draining.drain();
    };
    // Answers are small: waiting to fill a packet would only make them late.
    let listener = listener.tap_io(|stream| {
        let _ = stream.set_nodelay(true);
    });
    axum::serve(listener, router(app)).with_graceful_shutdown(stop).await
}
