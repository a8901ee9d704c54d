//! Files of model repositories on Hugging Face's hub.
//!
//! ```no_run
//! use vision_fetch::hub::Hub;
//!
//! let hub = Hub::new("timm/convnext_tiny.fb_in22k");
//! let config = hub.file("config.json")?;
//! // The weights of the same commit, even if the branch moves in between.
//! let weights = hub.with_revision(config.commit).file("model.safetensors")?;
//! println!("{}", weights.path.display());
//! # Ok::<(), vision_fetch::Error>(())
//! ```
//!
//! The cache is the one of the hub's own tools, so that what Python downloaded is found here, and the other way round:
//!
//! ```text
//! $HF_HUB_CACHE, or $HF_HOME/hub, or ~/.cache/huggingface/hub
//! ├── .locks/models--timm--resnet18.a1_in1k/ETAG.lock
//! └── models--timm--resnet18.a1_in1k/
//!     ├── blobs/ETAG                                the content
//!     ├── refs/main                                 the commit of the branch
//!     └── snapshots/COMMIT/model.safetensors        a link to the content, or the content where links are impossible
//! ```
//!
//! The hub names a large file by its SHA-256 and a small one by its SHA-1 as a Git blob. Either is verified, after a
//! download and before a cached file is used. A repository is asked for its current commit each time, and the cache is
//! used if the hub cannot be reached; a revision that is a commit needs no question.
//!
//! | variable | effect |
//! |---|---|
//! | `HF_ENDPOINT` | the address of another hub or a mirror; default `https://huggingface.co` |
//! | `HF_HOME`, `HF_HUB_CACHE`, `HUGGINGFACE_HUB_CACHE` | the cache, as above |
//! | `HF_HUB_OFFLINE`, `TRANSFORMERS_OFFLINE`, `VISION_OFFLINE` | nothing is downloaded |
//! | `HF_TOKEN`, `HUGGING_FACE_HUB_TOKEN`; `HF_TOKEN_PATH`, `$HF_HOME/token` | the token, or the file that holds it |
//! | `HF_HUB_DISABLE_IMPLICIT_TOKEN` | no token is sent |
//! | `HF_HUB_DISABLE_SYMLINKS` | files are copied instead of linked |
//!
//! The token is sent to the endpoint alone, and over plain http only to this machine: a redirect to another host loses it.
//! `VISION_MIRROR` does not matter here: it finds files by their names alone, and all repositories have a
//! `model.safetensors`.
//!
//! # Why not the crate hf-hub
//!
//! Its version 1.0 with `default-features = false` and `blocking` brings 220 crates, of which 132 are nowhere in this workspace
//! (reqwest, an asynchronous runtime with its middleware, another TLS library that is written in C, the protocol Xet). What is needed here is a
//! `HEAD` request and the downloads that [`Download`](crate::Download) does already. Its only addition is the
//! crate `sha1`.

mod answer;
mod cached;
mod environment;
pub(crate) mod error;
mod layout;
mod name;
mod repository;

pub use cached::{CachedRepository, cached_repositories};
pub use error::HubError;
pub use repository::{Hub, HubFile};
