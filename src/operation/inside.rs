//! Operations of the gateway's own: by the way of everybody's, without the kept answers.

use apollo_compiler::response::JsonMap;
use async_graphql::Response;

use super::{Asked, Operations, Refusal, Way};
use crate::graph::Request;

impl Operations {
    /// What an operation of the gateway's own is answered with. `name`: what the log calls it.
    pub async fn run_inside(&self, request: Request, document: &str, variables: JsonMap, name: &str) -> Response {
        let asked = Asked { variables: Some(variables), ..Asked::default() };
        let refused = |refusal: Refusal| Response::from_errors(refusal.errors);
        let document = match self.documents.get(document) {
            Ok(document) => document,
            Err(problems) => return refused(Refusal::each(400, problems, name)),
        };
        let prepared = match self.prepare(&request.caller, &document, Way::Post, &asked) {
            Ok(prepared) => prepared,
            Err((status, problem)) => return refused(Refusal::each(status, vec![problem], name)),
        };
        let mut request = request;
        request.merges = prepared.operation.facts.merges;
        match self.alone(request, &prepared, name).await {
            Ok(response) => response,
            Err(error) => refused(Refusal::new(400, error, name)),
        }
    }
}
