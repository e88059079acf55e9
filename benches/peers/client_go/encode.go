package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"os"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	"k8s.io/client-go/kubernetes/scheme"
)

// Before every protobuf object; what follows is a runtime.Unknown.
var magic = []byte("k8s\x00")

// encode reads pods in JSON, one a line: first those of the list, then the versions that a watch tells of. It writes the
// records that benches/wire_streams.py describes; those that begin a watch-list only if it is told to.
func encode(file string, pods int, version string, watchList bool, from io.Reader) error {
	out, err := os.Create(file)
	if err != nil {
		return err
	}
	defer out.Close()
	records := &recorder{out: bufio.NewWriterSize(out, 1<<20)}
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, 1<<20)
	var items [][]byte
	for n := 0; lines.Scan(); n++ {
		pod := &corev1.Pod{}
		if err := json.Unmarshal(lines.Bytes(), pod); err != nil {
			return err
		}
		if n < pods {
			item, err := pod.Marshal()
			if err != nil {
				return err
			}
			items = append(items, item)
			if watchList {
				records.event('A', "ADDED", pod)
			}
		} else {
			records.event('M', "MODIFIED", pod)
		}
	}
	if len(items) != pods {
		return fmt.Errorf("%d pods of %d", len(items), pods)
	}
	records.event('B', "BOOKMARK", &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
		ResourceVersion: version, Annotations: map[string]string{metav1.InitialEventsAnnotationKey: "true"},
	}})
	records.list(version, items)
	if records.err == nil {
		records.err = records.out.Flush()
	}
	return records.err
}

type recorder struct {
	out *bufio.Writer
	err error
}

func (r *recorder) write(kind byte, payload []byte) {
	if r.err == nil {
		head := binary.LittleEndian.AppendUint32([]byte{kind}, uint32(len(payload)))
		r.out.Write(head)
		_, r.err = r.out.Write(payload)
	}
}

// event is a frame of a watch: its length, and a WatchEvent with the object as it stands alone.
func (r *recorder) event(kind byte, name string, pod *corev1.Pod) {
	pod.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Pod"))
	var object bytes.Buffer
	if err := protobuf.NewSerializer(scheme.Scheme, scheme.Scheme).Encode(pod, &object); err != nil {
		r.err = err
		return
	}
	event := &metav1.WatchEvent{Type: name, Object: runtime.RawExtension{Raw: object.Bytes()}}
	frame, err := event.Marshal()
	if err != nil {
		r.err = err
		return
	}
	r.write(kind, append(binary.BigEndian.AppendUint32(nil, uint32(len(frame))), frame...))
}

// list is a PodList in pieces: head, items, end. Field 1 of a list is its metadata, field 2 one item; of a
// runtime.Unknown field 1 is the type, 2 the object, 3 and 4 are empty texts.
func (r *recorder) list(version string, items [][]byte) {
	metadata, err := (&metav1.ListMeta{ResourceVersion: version}).Marshal()
	if err != nil {
		r.err = err
		return
	}
	typeMeta, err := (&runtime.TypeMeta{APIVersion: "v1", Kind: "PodList"}).Marshal()
	if err != nil {
		r.err = err
		return
	}
	metadata = field(1, metadata)
	size := len(metadata)
	for n, item := range items {
		items[n] = field(2, item)
		size += len(items[n])
	}
	head := append(bytes.Clone(magic), field(1, typeMeta)...)
	head = binary.AppendUvarint(append(head, 2<<3|2), uint64(size))
	r.write('L', append(head, metadata...))
	for _, item := range items {
		r.write('L', item)
	}
	r.write('L', append(field(3, nil), field(4, nil)...))
}

func field(number byte, payload []byte) []byte {
	return append(binary.AppendUvarint([]byte{number<<3 | 2}, uint64(len(payload))), payload...)
}
