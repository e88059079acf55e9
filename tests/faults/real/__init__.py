"""Faults provoked on a real kube-apiserver and its etcd."""
