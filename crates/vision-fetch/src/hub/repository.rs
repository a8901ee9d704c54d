//! A model repository of the hub.

use std::path::{Path, PathBuf};

use crate::checksum::{Etag, Expected};
use crate::download::{Download, Origin};
use crate::error::{Error, Result, io_error};
use crate::hub::answer::{Answer, NoAnswer, Question};
use crate::hub::error::HubError;
use crate::hub::layout::Layout;
use crate::hub::{environment, name};
use crate::lock;
use crate::options::Options;
use crate::url::check_url;

/// A model repository on Hugging Face's hub, whose files [`file`](Self::file) downloads into the cache of the hub's own tools.
///
/// The page of the module [`hub`](crate::hub) has the cache and the environment variables.
#[doc(alias("hf_hub_download", "timm"))]
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "nothing happens before `file`"]
pub struct Hub {
    name: String,
    revision: String,
    endpoint: Option<String>,
    cache: Option<PathBuf>,
}

/// A file of a repository, complete and verified.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct HubFile {
    /// Where it is: in the snapshot of its commit.
    pub path: PathBuf,
    /// The commit, 40 hexadecimal digits.
    pub commit: String,
    /// Whether it was downloaded or was in the cache.
    pub origin: Origin,
}

impl Hub {
    /// The repository `ORGANIZATION/NAME`, or `NAME` alone for one of timm: `resnet18.a1_in1k` is `timm/resnet18.a1_in1k`. A
    /// revision may follow after `@`. A name that cannot be one of the hub is an error of [`file`](Self::file).
    ///
    /// ```
    /// use vision_fetch::hub::Hub;
    ///
    /// let hub = Hub::new("convnext_tiny.fb_in22k");
    /// assert_eq!((hub.name(), hub.revision()), ("timm/convnext_tiny.fb_in22k", "main"));
    /// assert_eq!(Hub::new("timm/resnet18.a1_in1k@v1").revision(), "v1");
    /// ```
    pub fn new(name: impl Into<String>) -> Self {
        let given: String = name.into();
        let (name, revision) = given.split_once('@').unwrap_or((&given, "main"));
        Self {
            name: name::repository(name).unwrap_or_else(|_| name.to_owned()),
            revision: revision.to_owned(),
            endpoint: None,
            cache: None,
        }
    }

    /// Sets the branch, tag or commit. Default: `main`. With a commit, a repository that is in the cache needs no network.
    pub fn with_revision(mut self, revision: impl Into<String>) -> Self {
        self.revision = revision.into();
        self
    }

    /// Sets the address of the hub. Default: `HF_ENDPOINT`, or `https://huggingface.co`.
    pub fn with_endpoint(mut self, url: impl Into<String>) -> Self {
        self.endpoint = Some(url.into());
        self
    }

    /// Sets the folder of the cache. Default: `HF_HUB_CACHE`, or the folder `hub` in `HF_HOME` or `~/.cache/huggingface`.
    pub fn with_cache(mut self, folder: impl Into<PathBuf>) -> Self {
        self.cache = Some(folder.into());
        self
    }

    /// `ORGANIZATION/NAME`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The branch, tag or commit.
    pub fn revision(&self) -> &str {
        &self.revision
    }

    /// The folder of the cache, if it was set.
    pub fn cache(&self) -> Option<&Path> {
        self.cache.as_deref()
    }

    /// Downloads a file, or verifies it if it is in the cache, with the default options.
    ///
    /// # Errors
    ///
    /// As [`file_with`](Self::file_with).
    pub fn file(&self, file: &str) -> Result<HubFile> {
        self.file_with(file, &Options::new())
    }

    /// As [`file`](Self::file), with other options. A mirror among them has no effect: [`with_endpoint`](Self::with_endpoint)
    /// sets another hub.
    ///
    /// # Errors
    ///
    /// [`Error::Hub`] with what is wrong with the name, the repository or the access, or if the file is neither in the cache
    /// nor can be downloaded; those of [`Download::fetch`]; [`Error::Option`] for a token that cannot be one.
    pub fn file_with(&self, file: &str, options: &Options) -> Result<HubFile> {
        let repository = name::repository(&self.name)?;
        name::revision(&self.revision)?;
        name::file(file)?;
        let endpoint = match &self.endpoint {
            Some(endpoint) => endpoint.clone(),
            None => environment::endpoint(),
        };
        let endpoint = endpoint.trim_end_matches('/');
        check_url(endpoint)?;
        let cache = match &self.cache {
            Some(cache) => std::path::absolute(cache).map_err(io_error("make absolute", cache))?,
            None => environment::cache()?,
        };
        let layout = Layout::new(&cache, &repository);
        let cached = || self.cached(&layout, file);
        if name::is_commit(&self.revision)
            && let Some(found) = cached()?
        {
            return Ok(found);
        }
        let not_cached = |reason: String| {
            Error::from(HubError::NotCached {
                repository: repository.clone(),
                file: file.to_owned(),
                folder: layout.folder().to_owned(),
                reason,
            })
        };
        let forbidden = match options.offline {
            true => Some("with_offline(true)"),
            false => environment::offline(),
        };
        if let Some(by) = forbidden {
            let reason = || not_cached(format!("downloads are forbidden ({by})"));
            return cached()?.ok_or_else(reason);
        }
        let token = environment::token()?;
        let question = Question {
            endpoint,
            repository: &repository,
            revision: &self.revision,
            file,
            token: token.as_deref(),
            options,
        };
        let older = self
            .pointer(&layout, file)
            .is_some_and(|path| path.is_file());
        // What is in the cache is better than a long wait.
        let retries = if older { 0 } else { options.retries };
        let answer = match question.ask(retries) {
            Ok(answer) => answer,
            // Without certificates nothing was asked: the cache may still serve.
            Err(NoAnswer::Final(error)) if !matches!(error, Error::Certificates { .. }) => {
                return Err(error);
            }
            Err(no_answer) => {
                if let Some(found) = cached()? {
                    return Ok(found);
                }
                return Err(match no_answer {
                    NoAnswer::Absent(reason) => not_cached(reason),
                    NoAnswer::Busy { attempts, seconds } => HubError::RateLimited {
                        url: question.url(),
                        attempts,
                        seconds,
                    }
                    .into(),
                    NoAnswer::Denied(error) => error.into(),
                    NoAnswer::Final(error) => error,
                });
            }
        };
        let found = self.bring(&question, &answer, &layout)?;
        layout.remember(&self.revision, &answer.commit)?;
        Ok(found)
    }

    fn pointer(&self, layout: &Layout, file: &str) -> Option<PathBuf> {
        let commit = layout.commit(&self.revision)?;
        Some(layout.pointer(&commit, file))
    }

    /// The file of the commit that the cache has for the revision.
    fn cached(&self, layout: &Layout, file: &str) -> Result<Option<HubFile>> {
        let Some(commit) = layout.commit(&self.revision) else {
            return Ok(None);
        };
        let path = layout.pointer(&commit, file);
        if !path.is_file() {
            return Ok(None);
        }
        // A copy does not say what it should be.
        if let Some(etag) = Layout::etag_of(&path) {
            self.verify(&path, &etag, None, file)?;
        }
        Ok(Some(HubFile {
            path,
            commit,
            origin: Origin::Cache,
        }))
    }

    fn verify(&self, path: &Path, etag: &Etag, size: Option<u64>, file: &str) -> Result<()> {
        let url = format!("{file} of {}", self.name);
        let checked = Expected::of_etag(etag, size).check(path)?;
        checked.map(drop).map_err(|mismatch| {
            // The content, not the link to it, is to be deleted.
            let content = path.canonicalize().unwrap_or_else(|_| path.to_owned());
            mismatch.in_place(&url, &content)
        })
    }

    fn bring(&self, question: &Question<'_>, answer: &Answer, layout: &Layout) -> Result<HubFile> {
        let Answer { commit, etag, .. } = answer;
        let path = layout.pointer(commit, question.file);
        let found = |origin| HubFile {
            path: path.clone(),
            commit: commit.clone(),
            origin,
        };
        if path.is_file() {
            self.verify(&path, etag, answer.size, question.file)?;
            return Ok(found(Origin::Cache));
        }
        let blob = layout.blob(etag);
        let options = question.options.clone().without_mirror();
        let mut download = Download::new(&answer.url, &blob)
            .nameless()
            .with_options(options)
            .locked_at(layout.lock(etag))
            .of_etag(etag.clone());
        if let Some(size) = answer.size {
            download = download.with_size(size);
        }
        if let Some(token) = question.token_for(&answer.url) {
            download = download.with_token(token);
        }
        let fetched = download.fetch().map_err(|error| match error {
            Error::HttpStatus {
                url,
                status: 429,
                attempts,
                ..
            } => HubError::RateLimited {
                url,
                attempts,
                seconds: None,
            }
            .into(),
            error => error,
        })?;
        let lock = layout.lock(etag);
        let _lock = lock::acquire(&lock, question.options.lock_timeout)?;
        if !path.is_file() {
            let depth = question.file.matches('/').count();
            let new = fetched.origin == Origin::Network;
            Layout::point(&blob, &path, depth, new, !environment::without_links())?;
        }
        Ok(found(fetched.origin))
    }
}
