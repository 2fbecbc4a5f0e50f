//! The way in: routes, what every request gets, and the server that ends gracefully.

mod execution;
mod explorer;
mod freshness;
mod graphql;
mod identify;
mod live;
mod named;
mod negotiate;
mod oauth;
mod pages;
pub(crate) mod read;
mod server;
mod status;
mod track;
mod webhooks;

use std::future::{Future, pending};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::{get, post};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::app::App;
use server::Limits;
pub use track::Tracked;

/// When the gateway ends, sockets have so long to tell their clients.
const FAREWELL: Duration = Duration::from_secs(3);

/// Everything that the gateway answers over HTTP, without a socket.
pub fn service(app: Arc<App>) -> Tracked {
    Tracked(router(app))
}

fn router(app: Arc<App>) -> Router {
    let mut for_pages = Router::new()
        .route("/graphql", get(graphql::get).post(graphql::post))
        .route("/operations/{name}", get(named::get).post(named::post))
        .route("/schema.graphql", get(status::sdl));
    if let Some(cors) = pages::cors(app.cors_origins()) {
        for_pages = for_pages.layer(cors);
    }
    let metrics = match app.has_metrics_apart() {
        true => Router::new(),
        false => Router::new().route("/metrics", get(status::metrics)),
    };
    for_pages
        .merge(metrics)
        .route("/health/live", get(status::live))
        .route("/health/ready", get(status::ready))
        .route("/webhooks/contacts", post(webhooks::contacts))
        .route("/oauth/install", get(oauth::install))
        .route("/oauth/callback", get(oauth::callback))
        .merge(explorer::routes())
        .fallback(status::not_found)
        .with_state(app)
}

/// Serves `/metrics` alone, for as long as it is waited for.
pub async fn serve_metrics(app: Arc<App>, listener: TcpListener) {
    let limits = limits(&app);
    let routes = Router::new().route("/metrics", get(status::metrics)).fallback(status::not_found).with_state(app);
    server::run(listener, Tracked(routes), limits, pending()).await;
}

fn limits(app: &App) -> Limits {
    Limits { connections: app.max_connections(), head: app.head_limit(), quiet: app.request_timeout() }
}

/// Serves until `stop`, then answers what is in progress and ends, at the latest when a request's time is over: a
/// connection that never sends the rest of its request holds up nothing.
pub async fn serve(
    app: Arc<App>,
    listener: TcpListener,
    stop: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let most = app.request_timeout();
    let limits = limits(&app);
    let (drain, draining) = oneshot::channel();
    let stopping = app.clone();
    let stop = async move {
        stop.await;
        stopping.drain();
        // Nobody waits for it when the server has ended by itself.
        let _ = drain.send(());
    };
    // Beside the requests, and not after this has ended, however it ends.
    let (end, ended) = oneshot::channel::<()>();
    let (working, mut work) = (app.clone(), JoinSet::new());
    work.spawn(async move {
        let stop = async {
            let _ = ended.await;
        };
        working.work(stop).await;
    });
    let (sockets, polling) = (app.clone(), app.poll().run());
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
        () = polled => {}
        () = server::run(listener, service(app), limits, stop) => {
            // A server knows nothing of what became a socket.
            let _ = timeout(FAREWELL, sockets.live().ended()).await;
        }
        () = out_of_time => {
            tracing::warn!("some connections were cut: their requests were not complete in time");
        }
    }
    drop(end);
    // What went wrong with it was told by it.
    while work.join_next().await.is_some() {}
    Ok(())
}
