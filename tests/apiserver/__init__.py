"""A real kube-apiserver and etcd for the tests: built, started, hurt and stopped by the test suite itself."""
