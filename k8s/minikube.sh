#!/bin/sh
# Starts a one-node cluster for a laptop. Further arguments go to minikube, as in
# `k8s/minikube.sh --driver kvm2`; on a machine with two cores `--cpus 2 --memory 4g`.
set -eu

# calico, because minikube's default network ignores NetworkPolicies.
exec minikube start --profile scripta --cpus 4 --memory 6g --cni calico \
    --addons metrics-server "$@"
