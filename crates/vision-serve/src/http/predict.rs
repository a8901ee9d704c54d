//! `POST /predict`.

use std::sync::Arc;

use hyper::StatusCode;
use hyper::body::Incoming;
use hyper::header::HeaderMap;
use serde::Serialize;
use tokio::sync::oneshot::{Receiver, channel};
use tokio::time::timeout;
use vision_figure::base64;
use vision_learner::PredictionRow;

use crate::compute::job::{Job, Predicted, Task};
use crate::http::body;
use crate::http::query::Query;
use crate::http::reply::{self, Reply};
use crate::http::service::Service;
use crate::input::{Form, Item, Opened};
use crate::limits::client::Client;
use crate::limits::queue::Closed;
use crate::limits::quota::{Full, Share};
use crate::refusal::Refusal;

/// The answer for an image: that of `vision predict --json`, and the heat map if it was asked for.
#[derive(Serialize)]
struct Answer {
    #[serde(flatten)]
    row: PredictionRow,
    #[serde(skip_serializing_if = "Option::is_none")]
    heatmap: Option<Heatmap>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Heatmap {
    Drawn {
        class: String,
        width: u32,
        height: u32,
        /// A `data:` URL.
        image: String,
    },
    None {
        error: String,
    },
}

/// The answer for a list of images.
#[derive(Serialize)]
struct Answers {
    predictions: Vec<Answer>,
}

pub(super) async fn predict(
    service: &Service,
    client: Client,
    query: Option<&str>,
    headers: &HeaderMap,
    body: Incoming,
) -> Result<Reply, Refusal> {
    let query = Query::of(query, &service.predictor)?;
    let form = Form::of(headers)?;
    let (bytes, share) = body::read(service, client, body).await?;
    let patience = service.settings.timeout;
    // Whoever waits for the results is dropped with the future: what waits in the queue is not computed then.
    let answered = timeout(patience, async {
        let opened = match form {
            Form::Raw => Opened::One(Item::new("image", bytes)),
            form => {
                let (reply, result) = channel();
                let task = Task::Open { form, bytes, reply };
                push(service, client, vec![Job::new(task, &share)])?;
                received(result).await?
            }
        };
        match opened {
            Opened::One(item) => {
                let mut answers = answers(service, client, &query, vec![item], &share).await?;
                let (_, answer) = answers.remove(0);
                Ok(reply::json(StatusCode::OK, &answer?))
            }
            Opened::List(items) => {
                let answers = answers(service, client, &query, items, &share).await?;
                let predictions = answers.into_iter().map(|(name, answer)| {
                    answer.unwrap_or_else(|refusal| Answer {
                        row: PredictionRow::failed(name, &*refusal.message),
                        heatmap: None,
                    })
                });
                let predictions = predictions.collect();
                Ok(reply::json(StatusCode::OK, &Answers { predictions }))
            }
        }
    })
    .await;
    answered.unwrap_or_else(|_| {
        let message = format!("the request was not answered within {patience:?}");
        Err(Refusal::overloaded(message))
    })
}

/// The name of each image, with its answer.
type Named = Vec<(String, Result<Answer, Refusal>)>;

async fn answers(
    service: &Service,
    client: Client,
    query: &Query,
    items: Vec<Item>,
    share: &Arc<Share>,
) -> Result<Named, Refusal> {
    let (mut jobs, mut waiting) = (Vec::new(), Vec::new());
    for Item { name, bytes } in items {
        let (reply, result) = channel();
        let task = Task::Predict {
            bytes,
            heatmap: query.heatmap,
            reply,
        };
        jobs.push(Job::new(task, share));
        waiting.push((name, result));
    }
    push(service, client, jobs)?;
    let mut answers = Vec::new();
    for (name, result) in waiting {
        let answer = received(result).await;
        let answer = answer.map(|predicted| answer_of(query, &name, predicted));
        answers.push((name, answer));
    }
    Ok(answers)
}

fn answer_of(query: &Query, name: &str, predicted: Predicted) -> Answer {
    let heatmap = predicted.heatmap.map(|heatmap| match heatmap {
        Ok(picture) => Heatmap::Drawn {
            class: picture.class,
            width: picture.width,
            height: picture.height,
            image: format!("data:image/png;base64,{}", base64(&picture.png)),
        },
        Err(error) => Heatmap::None { error },
    });
    Answer {
        row: query.rows.row(name, &predicted.prediction),
        heatmap,
    }
}

fn push(service: &Service, client: Client, jobs: Vec<Job>) -> Result<(), Refusal> {
    service
        .queue
        .push(client, jobs)
        .map_err(|closed| match closed {
            Closed::Full(Full::All) => Refusal::overloaded("as many images wait as may wait"),
            Closed::Full(Full::Client) => {
                Refusal::too_many("as many images of this client wait as may wait")
            }
            Closed::Ended => Refusal::stopping(),
        })
}

async fn received<T>(result: Receiver<Result<T, Refusal>>) -> Result<T, Refusal> {
    // Threads answer whatever happens, but for the end of the process.
    result.await.unwrap_or_else(|_| Err(Refusal::stopping()))
}
