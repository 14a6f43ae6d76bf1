// Command informers uses a cluster as client-go programs do: protobuf on the wire, informers that begin with a
// streaming list (WatchList), and a watch that is taken up again where it broke off.
//
// It writes for the time that -for says, then compares what its informers hold with what the cluster answers, and
// prints one line of JSON. Whatever is missing or doubled makes it exit with 1.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	apiwatch "k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
	watchtools "k8s.io/client-go/tools/watch"
)

const (
	// The object whose every version must be seen, in order.
	counter = "counter"
	// How many objects come and go beside it.
	objects = 20
	// How long a single request may take before it is tried again.
	patience = 5 * time.Second
)

// Report is what the program prints.
type Report struct {
	Acknowledged int    `json:"acknowledged"`
	Failed       int    `json:"failed"`
	Seen         int    `json:"seen"`
	Resumed      int    `json:"resumed"`
	Cached       int    `json:"cached"`
	LongestWait  int64  `json:"longest_wait_ms"`
	Wrong        string `json:"wrong,omitempty"`
}

func main() {
	lasts := flag.Duration("for", time.Minute, "how long to write")
	namespace := flag.String("namespace", "informers", "where to write; it is created")
	flag.Parse()
	report, err := run(context.Background(), *namespace, *lasts)
	if err != nil {
		report.Wrong = err.Error()
	}
	line, _ := json.Marshal(report)
	fmt.Println(string(line))
	if report.Wrong != "" {
		os.Exit(1)
	}
}

func connect() (*kubernetes.Clientset, error) {
	config, err := clientcmd.BuildConfigFromFlags("", os.Getenv("KUBECONFIG"))
	if err != nil {
		return nil, err
	}
	config.ContentConfig = rest.ContentConfig{
		AcceptContentTypes: runtime.ContentTypeProtobuf,
		ContentType:        runtime.ContentTypeProtobuf,
	}
	config.QPS, config.Burst = 200, 200
	config.Timeout = 0
	return kubernetes.NewForConfig(config)
}

func run(ctx context.Context, namespace string, lasts time.Duration) (Report, error) {
	var report Report
	client, err := connect()
	if err != nil {
		return report, err
	}
	space := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}
	if _, err := client.CoreV1().Namespaces().Create(ctx, space, metav1.CreateOptions{}); err != nil {
		return report, fmt.Errorf("create the namespace: %w", err)
	}
	first := &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: counter},
		Data:       map[string]string{"n": "0"},
	}
	begun, err := client.CoreV1().ConfigMaps(namespace).Create(ctx, first, metav1.CreateOptions{})
	if err != nil {
		return report, fmt.Errorf("create the counter: %w", err)
	}

	factory := informers.NewSharedInformerFactoryWithOptions(client, 0, informers.WithNamespace(namespace))
	maps := factory.Core().V1().ConfigMaps()
	informer := maps.Informer()
	factory.Start(ctx.Done())
	if !cache.WaitForCacheSync(ctx.Done(), informer.HasSynced) {
		return report, fmt.Errorf("the informer never had its first list")
	}
	watcher, err := follow(ctx, client, namespace, begun.ResourceVersion)
	if err != nil {
		return report, err
	}

	last, err := write(ctx, client, namespace, lasts, &report)
	if err != nil {
		return report, err
	}
	if err := watcher.until(last); err != nil {
		return report, err
	}
	report.Seen, report.Resumed = watcher.seen, watcher.resumed
	return report, compare(ctx, client, namespace, maps.Lister(), &report)
}

// write counts up, and creates and deletes beside that, for as long as it should. It returns the last number.
func write(ctx context.Context, client *kubernetes.Clientset, namespace string, lasts time.Duration, report *Report) (int, error) {
	maps := client.CoreV1().ConfigMaps(namespace)
	end := time.Now().Add(lasts)
	acked, number := time.Now(), 0
	for round := 0; time.Now().Before(end); round++ {
		number++
		want := strconv.Itoa(number)
		err := persist(ctx, report, func(ctx context.Context) error {
			found, err := maps.Get(ctx, counter, metav1.GetOptions{})
			if err != nil || found.Data["n"] == want {
				return err
			}
			found.Data["n"] = want
			_, err = maps.Update(ctx, found, metav1.UpdateOptions{})
			return err
		})
		if err != nil {
			return number, fmt.Errorf("count to %d: %w", number, err)
		}
		report.LongestWait = max(report.LongestWait, time.Since(acked).Milliseconds())
		acked = time.Now()
		name := fmt.Sprintf("object-%d", round%objects)
		err = persist(ctx, report, func(ctx context.Context) error {
			return toggle(ctx, client, namespace, name, round/objects%3 == 2)
		})
		if err != nil {
			return number, fmt.Errorf("object %s: %w", name, err)
		}
	}
	return number, nil
}

// toggle creates an object, or deletes it.
func toggle(ctx context.Context, client *kubernetes.Clientset, namespace, name string, gone bool) error {
	maps := client.CoreV1().ConfigMaps(namespace)
	if gone {
		err := maps.Delete(ctx, name, metav1.DeleteOptions{})
		if apierrors.IsNotFound(err) {
			return nil
		}
		return err
	}
	object := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name}}
	_, err := maps.Create(ctx, object, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	return err
}

// persist tries again until it succeeds, for a minute: a server may be lost at any time.
func persist(ctx context.Context, report *Report, do func(context.Context) error) error {
	var last error
	err := wait.PollUntilContextTimeout(ctx, 20*time.Millisecond, time.Minute, true, func(ctx context.Context) (bool, error) {
		once, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		last = do(once)
		if last == nil {
			report.Acknowledged++
			return true, nil
		}
		report.Failed++
		return false, nil
	})
	if err != nil {
		return fmt.Errorf("%w; the last answer: %v", err, last)
	}
	return nil
}

// follower sees every version of the counter.
type follower struct {
	mutex   sync.Mutex
	changed chan struct{}
	seen    int
	resumed int
	wrong   error
}

// follow watches from a version on; whoever breaks the watch, it is taken up again behind the last version seen.
func follow(ctx context.Context, client *kubernetes.Clientset, namespace, from string) (*follower, error) {
	result := &follower{changed: make(chan struct{}, 1)}
	var opened atomic.Int32
	watch := func(_ context.Context, options metav1.ListOptions) (apiwatch.Interface, error) {
		options.FieldSelector = "metadata.name=" + counter
		opened.Add(1)
		return client.CoreV1().ConfigMaps(namespace).Watch(ctx, options)
	}
	watcher, err := watchtools.NewRetryWatcherWithContext(ctx, from, &cache.ListWatch{WatchFuncWithContext: watch})
	if err != nil {
		return nil, fmt.Errorf("watch the counter: %w", err)
	}
	go func() {
		for event := range watcher.ResultChan() {
			result.take(event, int(opened.Load())-1)
		}
	}()
	return result, nil
}

func (f *follower) take(event apiwatch.Event, resumed int) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	f.resumed = max(resumed, 0)
	switch object := event.Object.(type) {
	case *corev1.ConfigMap:
		if number, err := strconv.Atoi(object.Data["n"]); err != nil || number != f.seen+1 {
			f.wrong = fmt.Errorf("%q follows %d", object.Data["n"], f.seen)
		} else {
			f.seen = number
		}
	case *metav1.Status:
		f.wrong = fmt.Errorf("the watch ended: %s", object.Message)
	}
	select {
	case f.changed <- struct{}{}:
	default:
	}
}

// until waits for the last number.
func (f *follower) until(last int) error {
	deadline := time.After(time.Minute)
	for {
		f.mutex.Lock()
		seen, wrong := f.seen, f.wrong
		f.mutex.Unlock()
		if wrong != nil || seen == last {
			return wrong
		}
		select {
		case <-f.changed:
		case <-deadline:
			return fmt.Errorf("the watch saw %d of %d", seen, last)
		}
	}
}

// compare awaits that the informer holds what the cluster answers.
func compare(ctx context.Context, client *kubernetes.Clientset, namespace string, lister corelisters.ConfigMapLister, report *Report) error {
	list, err := client.CoreV1().ConfigMaps(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return fmt.Errorf("the last list: %w", err)
	}
	want := map[string]string{}
	for _, object := range list.Items {
		want[object.Name] = object.ResourceVersion
	}
	var difference string
	err = wait.PollUntilContextTimeout(ctx, 20*time.Millisecond, time.Minute, true, func(context.Context) (bool, error) {
		held, err := lister.ConfigMaps(namespace).List(labels.Everything())
		if err != nil {
			return false, err
		}
		have := map[string]string{}
		for _, object := range held {
			have[object.Name] = object.ResourceVersion
		}
		report.Cached = len(have)
		difference = fmt.Sprintf("the informer holds %v, the cluster %v", have, want)
		return fmt.Sprint(have) == fmt.Sprint(want), nil
	})
	if err != nil {
		return fmt.Errorf("%w: %s", err, difference)
	}
	return nil
}
