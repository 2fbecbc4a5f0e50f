//! The way in: routes, what every request gets, and the server that ends gracefully.

mod explorer;
mod freshness;
mod graphql;
mod identify;
mod live;
mod negotiate;
mod oauth;
mod status;
mod track;

use std::future::{Future, IntoFuture, pending};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use axum::serve::ListenerExt;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};
use tower::make::Shared;

use crate::app::App;
pub use track::Tracked;

/// When the gateway ends, sockets have so long to tell their clients.
const FAREWELL: Duration = Duration::from_secs(3);

/// Everything that the gateway answers over HTTP, without a socket.
pub fn service(app: Arc<App>) -> Tracked {
    Tracked(router(app))
}

fn router(app: Arc<App>) -> Router {
    Router::new()
        .route("/graphql", get(graphql::get).post(graphql::post))
        .route("/operations/{name}", get(graphql::named))
        .route("/schema.graphql", get(status::sdl))
        .route("/metrics", get(status::metrics))
        .route("/health/live", get(status::live))
        .route("/health/ready", get(status::ready))
        .route("/oauth/install", get(oauth::install))
        .route("/oauth/callback", get(oauth::callback))
        .merge(explorer::routes())
        .fallback(status::not_found)
        .with_state(app)
}

/// Serves until `stop`, then answers what is in progress and ends, at the latest when a request's time is over: a
/// connection that never sends the rest of its request holds up nothing.
pub async fn serve(
    app: Arc<App>,
    listener: TcpListener,
    stop: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let most = app.request_timeout();
    let (drain, draining) = oneshot::channel();
    let stopping = app.clone();
    let stop = async move {
        stop.await;
        stopping.drain();
        // Nobody waits for it when the server has ended by itself.
        let _ = drain.send(());
    };
    // Answers are small: waiting to fill a packet would only make them late.
    let listener = listener.tap_io(|stream| {
        let _ = stream.set_nodelay(true);
    });
    let (sockets, polling) = (app.clone(), app.poll().run());
    let server = axum::serve(listener, Shared::new(service(app))).with_graceful_shutdown(stop).into_future();
    let out_of_time = async {
        if draining.await.is_err() {
            pending::<()>().await;
        }
        sleep(most).await;
    };
    let polled = async {
        polling.await;
        pending::<()>().await;
    };
    tokio::select! {
        () = polled => Ok(()),
        ended = server => {
            // A server knows nothing of what became a socket.
            let _ = timeout(FAREWELL, sockets.live().ended()).await;
            ended
        }
        () = out_of_time => {
            tracing::warn!("some connections were cut: their requests were not complete in time");
            Ok(())
        }
    }
}
