// Command confined is the service whose domain is tested, and the servers that it talks to.
//
//	confined authority DIR   writes a private authority (ca.crt) and a server's certificate and key by it
//	confined upstream DIR    serves DNS on 127.0.0.1:53, for which every name is 127.0.0.1, and HTTPS on 127.0.0.1:9443
//	confined serve           the service: HTTP on :18443, data in $STATE_DIRECTORY, configuration in /etc/confined
package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"log/syslog"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"time"
)

const upstreamName = "upstream.gohost.test"

func main() {
	var err error
	switch os.Args[1] {
	case "authority":
		err = authority(os.Args[2])
	case "upstream":
		err = upstream(os.Args[2])
	case "serve":
		err = serve()
	}
	if err != nil {
		log.Fatal(err)
	}
}

func authority(dir string) error {
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Confined test authority"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign, NotBefore: time.Now().Add(-24 * time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: upstreamName}, DNSNames: []string{upstreamName},
		KeyUsage: x509.KeyUsageDigitalSignature, NotBefore: ca.NotBefore, NotAfter: ca.NotAfter,
	}
	leafKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	caDER, err := x509.CreateCertificate(rand.Reader, ca, ca, &caKey.PublicKey, caKey)
	if err != nil {
		return err
	}
	leafDER, err := x509.CreateCertificate(rand.Reader, leaf, ca, &leafKey.PublicKey, caKey)
	if err != nil {
		return err
	}
	keyDER, err := x509.MarshalECPrivateKey(leafKey)
	if err != nil {
		return err
	}
	blocks := map[string]*pem.Block{
		"ca.crt":     {Type: "CERTIFICATE", Bytes: caDER},
		"server.crt": {Type: "CERTIFICATE", Bytes: leafDER},
		"server.key": {Type: "EC PRIVATE KEY", Bytes: keyDER},
	}
	for name, block := range blocks {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o644); err != nil {
			return err
		}
	}
	return nil
}

func upstream(dir string) error {
	names, err := net.ListenPacket("udp", "127.0.0.1:53")
	if err != nil {
		return err
	}
	go func() {
		query := make([]byte, 512)
		for {
			n, client, err := names.ReadFrom(query)
			if err != nil {
				log.Fatal(err)
			}
			if answer := answered(query[:n]); answer != nil {
				names.WriteTo(answer, client)
			}
		}
	}()
	return http.ListenAndServeTLS("127.0.0.1:9443", filepath.Join(dir, "server.crt"), filepath.Join(dir, "server.key"),
		http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "from upstream") }))
}

// answered is the answer to a DNS query of one question: 127.0.0.1 for type A, nothing for any other.
func answered(query []byte) []byte {
	if len(query) < 17 {
		return nil
	}
	end := 12
	for end < len(query)-4 && query[end] != 0 {
		end += int(query[end]) + 1
	}
	end += 5
	if end > len(query) {
		return nil
	}
	answer := append([]byte{query[0], query[1], 0x85, 0x80, 0, 1, 0, 0, 0, 0, 0, 0}, query[12:end]...)
	if query[end-3] == 1 {
		answer[7] = 1
		answer = append(answer, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0, 1)
	}
	return answer
}

func serve() error {
	http.HandleFunc("/{$}", report)
	http.HandleFunc("/try/port/{port}", attempt(func(r *http.Request) error {
		l, err := net.Listen("tcp", ":"+r.PathValue("port"))
		if err == nil {
			l.Close()
		}
		return err
	}))
	http.HandleFunc("/try/connect/{port}", attempt(func(r *http.Request) error {
		c, err := net.Dial("tcp", "127.0.0.1:"+r.PathValue("port"))
		if err == nil {
			c.Close()
		}
		return err
	}))
	http.HandleFunc("/try/file/{path...}", attempt(func(r *http.Request) error {
		_, err := os.ReadFile("/" + r.PathValue("path"))
		return err
	}))
	http.HandleFunc("/try/exec/{path...}", attempt(func(r *http.Request) error { return exec.Command("/" + r.PathValue("path")).Run() }))
	listener, err := net.Listen("tcp", ":18443")
	if err != nil {
		return err
	}
	if err := notify("READY=1"); err != nil {
		return err
	}
	return http.Serve(listener, nil)
}

func attempt(do func(*http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := do(r); err != nil {
			fmt.Fprintln(w, err)
			return
		}
		fmt.Fprintln(w, "done")
	}
}

// report does all that the service may do, and says what came of it.
func report(w http.ResponseWriter, r *http.Request) {
	said := map[string]any{"cpus": runtime.NumCPU(), "procs": runtime.GOMAXPROCS(0)}
	for name, do := range map[string]func(context.Context) (any, error){
		"addresses": func(ctx context.Context) (any, error) {
			return net.DefaultResolver.LookupHost(ctx, "anything.gohost.test")
		},
		"upstream": fetched,
		"data":     func(context.Context) (any, error) { return written(os.Getenv("STATE_DIRECTORY")) },
		"config": func(context.Context) (any, error) {
			text, err := os.ReadFile("/etc/confined/greeting")
			return string(text), err
		},
		"interfaces": func(context.Context) (any, error) {
			all, err := net.Interfaces()
			return len(all) > 0, err
		},
		"syslog": func(context.Context) (any, error) {
			to, err := syslog.New(syslog.LOG_INFO, "confined")
			if err != nil {
				return nil, err
			}
			defer to.Close()
			return "sent", to.Info("said through /dev/log")
		},
		"zone": func(context.Context) (any, error) {
			name, _ := time.Now().Zone()
			return name, nil
		},
	} {
		ctx, cancel := context.WithTimeout(r.Context(), 10*time.Second)
		value, err := do(ctx)
		cancel()
		if err != nil {
			value = "failed: " + err.Error()
		}
		said[name] = value
	}
	json.NewEncoder(w).Encode(said)
}

func fetched(ctx context.Context) (any, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+upstreamName+":9443/", nil)
	if err != nil {
		return nil, err
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{}, DisableKeepAlives: true}}
	answer, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	return string(text), err
}

// written is what comes back from a file that was made, locked, mapped, renamed and removed in the directory.
func written(dir string) (any, error) {
	below := filepath.Join(dir, "a", "b")
	if err := os.MkdirAll(below, 0o750); err != nil {
		return nil, err
	}
	file, err := os.CreateTemp(below, "new")
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX); err != nil {
		return nil, err
	}
	if _, err := file.WriteString("kept"); err != nil {
		return nil, err
	}
	if err := file.Sync(); err != nil {
		return nil, err
	}
	mapped, err := syscall.Mmap(int(file.Fd()), 0, 4, syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		return nil, err
	}
	text := string(mapped)
	if err := syscall.Munmap(mapped); err != nil {
		return nil, err
	}
	final := filepath.Join(dir, "final")
	if err := os.Rename(file.Name(), final); err != nil {
		return nil, err
	}
	if err := os.Symlink("final", filepath.Join(dir, "link")); err != nil {
		return nil, err
	}
	if _, err := os.ReadFile(filepath.Join(dir, "link")); err != nil {
		return nil, err
	}
	for _, name := range []string{"link", "final", "a/b", "a"} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			return nil, err
		}
	}
	return text, nil
}

func notify(state string) error {
	to, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: os.Getenv("NOTIFY_SOCKET"), Net: "unixgram"})
	if err != nil {
		return err
	}
	defer to.Close()
	_, err = to.Write([]byte(state))
	return err
}
