"""2.Q: what client-go builds on watches and caches beside its informers."""

NOT_BUILT = {
    193: "there is no RetryWatcher; an informer resumes by itself.",
    194: "there is no RetryWatcher.",
    195: "there is no Until; a handler or `events()` tells when a condition holds.",
    196: "there is no watcher made from an informer; `SharedIndexInformer.events()` is the nearest.",
    200: "there is no leader election.",
}
