// client-go as a peer of the wire benchmark: a SharedIndexInformer of pods with three indices.
//
//	client_go sync URL json|protobuf PODS EVENTS NODE PODS_ON_NODE    one measurement; JSON on standard output
//	client_go watch URL json|protobuf PODS EVENTS NODE PODS_ON_NODE
//	client_go encode FILE PODS LIST_VERSION list|watch-list           what the wire server sends as protobuf
//
// Invariant: what is measured is what peer_run.py measures of the others, with the same checks: the cache is full, the
// index by node is right, each event is one call of a handler that only counts. A transform cuts
// managedFields, which kubeinformer does by default. KUBE_FEATURE_WatchListClient=false makes it LIST; GOGC is the caller's.
package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
)

const protobufType = "application/vnd.kubernetes.protobuf"

func main() {
	var err error
	if os.Args[1] == "encode" {
		err = encode(os.Args[2], number(os.Args[3]), os.Args[4], os.Args[5] == "watch-list", os.Stdin)
	} else {
		err = measure(os.Args[1], os.Args[2], os.Args[3], number(os.Args[4]), number(os.Args[5]), os.Args[6], number(os.Args[7]))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "client_go:", err)
		os.Exit(1)
	}
}

func number(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil {
		panic(err)
	}
	return n
}

func measure(what, url, encoding string, pods, events int, node string, podsOnNode int) error {
	informer, err := newInformer(url, encoding)
	if err != nil {
		return err
	}
	calls, last := atomic.Int64{}, int64(pods+events)
	begun := make(chan struct{})
	type moment struct{ wall, cpu float64 }
	ended := make(chan moment, 1)
	called := func() {
		switch calls.Add(1) {
		case int64(pods):
			close(begun)
		case last:
			ended <- moment{monotonic(), cpu()}
		}
	}
	if what == "watch" {
		_, err = informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
			AddFunc:    func(any) { called() },
			UpdateFunc: func(_, _ any) { called() },
			DeleteFunc: func(any) { called() },
		})
		if err != nil {
			return err
		}
	}
	stop := make(chan struct{})
	rss, wall, used := memory("VmRSS:"), monotonic(), cpu()
	go informer.Run(stop)
	if !waitSynced(stop, informer.HasSynced) {
		return fmt.Errorf("not synced")
	}
	result := map[string]any{"objects": pods, "seconds": monotonic() - wall, "cpu_seconds": cpu() - used}
	if count := len(informer.GetStore().ListKeys()); count != pods {
		return fmt.Errorf("%d of %d objects", count, pods)
	}
	keys, err := informer.GetIndexer().IndexKeys("node", node)
	if err != nil || len(keys) != podsOnNode {
		return fmt.Errorf("%d of %d pods on %s: %v", len(keys), podsOnNode, node, err)
	}
	if what == "watch" {
		<-begun
		used = cpu()
		if wall, err = release(url); err != nil {
			return err
		}
		end := <-ended
		result = map[string]any{"objects": events, "seconds": end.wall - wall, "cpu_seconds": end.cpu - used}
	} else {
		peak := memory("VmHWM:")
		debug.FreeOSMemory() // collects first
		result["rss_per_object"] = float64(memory("VmRSS:")-rss) / float64(pods)
		result["peak_rss_per_object"] = float64(peak-rss) / float64(pods)
		// What is measured must be alive until here.
		result["cached"] = len(informer.GetStore().ListKeys())
	}
	return json.NewEncoder(os.Stdout).Encode(result)
}

// waitSynced looks more often than cache.WaitForCacheSync, whose period of 100 ms would be the measurement.
func waitSynced(stop chan struct{}, synced func() bool) bool {
	for end := time.Now().Add(5 * time.Minute); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if synced() {
			return true
		}
	}
	return false
}

func newInformer(url, encoding string) (cache.SharedIndexInformer, error) {
	// Said in both cases: left out, a typed client asks for protobuf first.
	config := &rest.Config{Host: url}
	config.ContentType = "application/json"
	config.AcceptContentTypes = "application/json"
	if encoding == "protobuf" {
		config.ContentType = protobufType
		config.AcceptContentTypes = protobufType + ",application/json"
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	factory := informers.NewSharedInformerFactoryWithOptions(client, 0, informers.WithTransform(stripManagedFields))
	informer := factory.Core().V1().Pods().Informer() // has the index by namespace
	return informer, informer.AddIndexers(cache.Indexers{
		"node": func(obj any) ([]string, error) { return []string{obj.(*corev1.Pod).Spec.NodeName}, nil },
		"owner": func(obj any) ([]string, error) {
			if owner := metav1.GetControllerOfNoCopy(obj.(*corev1.Pod)); owner != nil {
				return []string{string(owner.UID)}, nil
			}
			return nil, nil
		},
	})
}

func stripManagedFields(obj any) (any, error) {
	if pod, ok := obj.(*corev1.Pod); ok {
		pod.ManagedFields = nil
	}
	return obj, nil
}

func release(url string) (float64, error) {
	answer, err := http.Post(url+"/bench/release", "", nil)
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	var body struct {
		ReleasedAt *float64 `json:"released_at"`
	}
	if err := json.NewDecoder(answer.Body).Decode(&body); err != nil {
		return 0, err
	}
	if body.ReleasedAt == nil {
		return 0, fmt.Errorf("the events were not released")
	}
	return *body.ReleasedAt, nil
}

// monotonic is the clock that all processes share, in seconds.
func monotonic() float64 {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		panic(err)
	}
	return float64(now.Sec) + float64(now.Nsec)/1e9
}

func cpu() float64 {
	var used unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &used); err != nil {
		panic(err)
	}
	return float64(used.Utime.Sec+used.Stime.Sec) + float64(used.Utime.Usec+used.Stime.Usec)/1e6
}

func memory(field string) int {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		panic(err)
	}
	for _, line := range strings.Split(string(status), "\n") {
		if strings.HasPrefix(line, field) {
			return number(strings.Fields(line)[1]) * 1024
		}
	}
	panic(field)
}
