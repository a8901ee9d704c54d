//! A trained image classifier as an HTTP service: predictions, heat maps, metrics, and a page on which a person drops an image.
//!
//! The program `vision` starts it (`vision serve MODEL`), and so does a program of yours:
//!
//! ```no_run
//! use vision_learner::Predictor;
//! use vision_serve::{ServeConfig, Server};
//!
//! let predictor = Predictor::open("pets.safetensors")?;
//! let server = Server::start(predictor, &ServeConfig::new())?;
//! println!("http://{}", server.address());
//! std::thread::park();                                    // until a signal of your choice
//! let stopped = server.stop();                            // answers what has come in
//! assert_eq!(stopped.unanswered, 0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | route | answer |
//! |---|---|
//! | `POST /predict` | the prediction for the image in the body, or those for the images of a form or of JSON |
//! | `GET /` | the page |
//! | `GET /model` | what the model says about itself |
//! | `GET /health`, `/ready` | whether the process lives, and whether it takes requests |
//! | `GET /metrics` | counts and times, for Prometheus |
//!
//! `docs/serving.md` describes requests, answers, limits and operation.
//!
//! # Rooms
//!
//! `http` accepts connections and answers requests; `input` takes images out of a body; `limits` counts what clients hold, and
//! keeps the queue; `compute` has the threads that decode and predict. Sockets are served by one thread; nothing that takes long
//! runs there.

// Printing must not end the program if a line cannot be written: use `vision_base::console`.
#![cfg_attr(not(test), warn(clippy::print_stdout, clippy::print_stderr))]

mod compute;
mod config;
mod error;
mod http;
mod input;
mod limits;
mod metrics;
mod refusal;
mod server;
mod settings;

pub use config::ServeConfig;
pub use error::{Error, Result};
pub use server::{Server, Stopped};
