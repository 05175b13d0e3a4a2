// Istio's own control plane, without a cluster: it reads objects from files, and gives a proxy on this machine what
// istiod would. For tests.
package main

import (
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"os"

	"istio.io/istio/pilot/test/xds"
	"istio.io/istio/pkg/config/mesh"
)

func main() {
	objects := flag.String("istio", "", "file of Istio's objects")
	cluster := flag.String("kubernetes", "", "file of Kubernetes' own objects")
	meshFile := flag.String("mesh", "", "file of the mesh's configuration")
	listen := flag.String("listen", "127.0.0.1:0", "where proxies ask")
	flag.Parse()

	settings, err := mesh.ApplyMeshConfigDefaults(read(*meshFile))
	if err != nil {
		log.Fatal(err)
	}
	listener, err := net.Listen("tcp", *listen)
	if err != nil {
		log.Fatal(err)
	}
	run := &process{}
	xds.NewFakeDiscoveryServer(run, xds.FakeOptions{
		ConfigString:           read(*objects),
		KubernetesObjectString: read(*cluster),
		MeshConfig:             settings,
		ListenerBuilder:        func() (net.Listener, error) { return listener, nil },
	})
	fmt.Printf("listening on %s\n", listener.Addr())
	// Whoever started it may be gone without having said so.
	_, _ = io.Copy(io.Discard, os.Stdin)
	run.end()
}

func read(file string) string {
	if file == "" {
		return ""
	}
	text, err := os.ReadFile(file)
	if err != nil {
		log.Fatal(err)
	}
	return string(text)
}

// process stands where Istio's own tests have a test.
type process struct{ atEnd []func() }

func (p *process) end() {
	for i := len(p.atEnd) - 1; i >= 0; i-- {
		p.atEnd[i]()
	}
}

func (p *process) Cleanup(f func())                { p.atEnd = append(p.atEnd, f) }
func (*process) Helper()                           {}
func (*process) Log(args ...any)                   { log.Print(args...) }
func (*process) Logf(format string, args ...any)   { log.Printf(format, args...) }
func (*process) Fail()                             { log.Fatal("failed") }
func (*process) FailNow()                          { log.Fatal("failed") }
func (*process) Fatal(args ...any)                 { log.Fatal(args...) }
func (*process) Fatalf(format string, args ...any) { log.Fatalf(format, args...) }
func (*process) Skip(args ...any)                  { log.Fatal(args...) }
func (p *process) TempDir() string {
	dir, err := os.MkdirTemp("", "istio-control-plane-")
	if err != nil {
		log.Fatal(err)
	}
	p.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}
